"""What a V4L2 camera must do, against the kernel's own test device (vivid): python v4l2_cases.py /dev/video0

Runs where such a device is: in a virtual machine of the tests, or on any Linux after `modprobe vivid`. Each case takes
the device's path and fails by AssertionError. Faults are made by vivid's own controls (Disconnect, Percentage of
Dropped Buffers). Needs neither pytest nor v4l2-ctl. Prints a line a case; exit code 1 where one failed.
"""

import fcntl
import os
import struct
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager, suppress

from camera import CameraConfigError, CameraError, CameraInUse, CameraLost, CameraTimeout, FrameStatus, make_camera
from camera.drivers.opencv.devices import look_at

_QUERYCTRL, _S_CTRL = 0xC0445624, 0xC008561C
_NEXT = 0x80000000 | 0x40000000
_CONTROL = struct.Struct("=II32siiiiI8x")
SIZE = {"width_px": 640, "height_px": 360}
BUSY_S = 3.0
"""What an emulated processor may add to whatever is limited in time."""


def set_control(path: str, name: str, value: int) -> None:
    """By the name that the driver gives it, or a part of that."""
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        number = 0
        while True:
            asked = _CONTROL.pack(number | _NEXT, 0, b"", 0, 0, 0, 0, 0)
            number, _kind, raw, *_ = _CONTROL.unpack(fcntl.ioctl(fd, _QUERYCTRL, asked))
            if name.lower() in raw.partition(b"\0")[0].decode().lower():
                fcntl.ioctl(fd, _S_CTRL, struct.pack("=Ii", number, value))
                return
    finally:
        os.close(fd)


@contextmanager
def opened(path: str, **settings):
    camera = make_camera({"driver": "opencv", "url": path, "device_format": "YUYV", **SIZE, **settings})
    camera.open()
    try:
        camera.start()
        yield camera
    finally:
        camera.close()


def raised(kind: type[CameraError], call: Callable[[], object]) -> str:
    """The sentence."""
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"{kind.__name__} was not raised")


def lost(camera, within_s: float) -> str:
    """Read until the camera is lost."""
    limit = time.monotonic() + within_s

    def read_on() -> None:
        while time.monotonic() < limit:
            with suppress(CameraTimeout):
                camera.read(0.5)

    return raised(CameraLost, read_on)


def it_tells_its_name_and_formats(path: str) -> None:
    device = look_at(path)
    assert device.gives_pictures
    assert device.model
    assert {"YUYV", "GREY"} <= set(device.formats), device.formats
    with opened(path) as camera:
        assert camera.info.model == device.model
        assert ("format", "YUYV") in camera.info.settings
        assert ("size", "640 x 360") in camera.info.settings


def grey_comes_as_grey_from_both_formats(path: str) -> None:
    for device_format in ("GREY", "YUYV"):
        with opened(path, device_format=device_format, pixel_format="Mono8", trigger="free") as camera:
            pixels = camera.read(5).pixels
            assert pixels.shape == (360, 640), pixels.shape
            assert pixels.std() > 10, "colour bars are not one grey"
            assert not pixels.flags.writeable


def colour_comes_as_colour(path: str) -> None:
    with opened(path, pixel_format="BGR8", trigger="free") as camera:
        pixels = camera.read(5).pixels
        assert pixels.shape == (360, 640, 3), pixels.shape
        assert (pixels[..., 0].astype(int) - pixels[..., 2]).std() > 10, "colour bars have colours"


def pictures_are_dated_by_the_kernels_clock(path: str) -> None:
    with opened(path, trigger="free", frames="every") as camera:
        frames = [camera.read(5) for _ in range(10)]
    for frame in frames:
        assert frame.device_clock == "monotonic"
        assert abs(frame.exposed_ns - frame.device_time_ns) < 0.05e9, "vivid dates a little ahead"
        assert 0 <= frame.received_ns - frame.exposed_ns < BUSY_S * 1e9
    exposed = [frame.exposed_ns for frame in frames]
    assert exposed == sorted(set(exposed))


def a_trigger_is_answered_by_a_picture_exposed_after_it(path: str) -> None:
    with opened(path) as camera:
        for number in range(5):
            triggered_ns = time.monotonic_ns()
            camera.trigger()
            frame = camera.read(5)
            assert frame.exposed_ns >= triggered_ns
            assert frame.trigger_sequence == number


def a_slow_reader_gets_new_pictures(path: str) -> None:
    """OpenCV alone gives the oldest of four buffers: as old as four turns of the reader, here 2 s."""
    with opened(path, trigger="free") as camera:
        ages = []
        for _ in range(10):
            frame = camera.read(5)
            ages.append((time.monotonic_ns() - frame.exposed_ns) / 1e9)
            time.sleep(0.5)
        assert camera.counters()["passed_over"] > 10
    assert sorted(ages[5:])[2] < 1.0, ages  # an emulated processor on a busy one adds to each


def another_format_or_size_is_refused(path: str) -> None:
    sentence = raised(CameraConfigError, lambda: _open_and_close(path, device_format="H264"))
    assert "cannot give H264" in sentence
    assert "YUYV" in sentence
    sentence = raised(CameraConfigError, lambda: _open_and_close(path, width_px=333, height_px=222))
    assert "and the settings say 333 x 222" in sentence, sentence


def a_device_that_another_has_is_in_use(path: str) -> None:
    with opened(path, trigger="free") as camera:
        camera.read(5)
        sentence = raised(CameraInUse, lambda: _open_and_close(path))
        assert "another program has it" in sentence
        assert camera.read(5).status is FrameStatus.OK, "and the first one goes on"


def a_device_that_falls_silent_is_lost_in_time(path: str) -> None:
    with opened(path, trigger="free", read_timeout_s=1.5) as camera:
        camera.read(5)
        set_control(path, "Dropped Buffers", 100)
        began = time.monotonic()
        try:
            lost(camera, 1.5 + BUSY_S)
        finally:
            set_control(path, "Dropped Buffers", 0)
        assert time.monotonic() - began < 1.5 + BUSY_S
    with opened(path, trigger="free") as camera:
        camera.read(5)


def pictures_that_the_device_drops_are_seen_to_be_lost(path: str) -> None:
    """By the kernel's times, for OpenCV hides the numbers of the buffers."""
    with opened(path, trigger="free", frames="every") as camera:
        rate_hz = float(dict(camera.info.settings)["frame_rate_hz"])
    set_control(path, "Dropped Buffers", 50)
    try:
        with opened(path, trigger="free", frames="every", frame_rate_hz=rate_hz) as camera:
            sequences = [camera.read(5).sequence for _ in range(20)]
    finally:
        set_control(path, "Dropped Buffers", 0)
    assert sequences == sorted(set(sequences))
    assert sequences[-1] - sequences[0] > 24, sequences


def a_device_that_is_unplugged_is_lost_and_had_again(path: str) -> None:
    with opened(path, trigger="free") as camera:
        camera.read(5)
        set_control(path, "Disconnect", 1)
        began = time.monotonic()
        lost(camera, BUSY_S)
        assert time.monotonic() - began < BUSY_S
    limit = time.monotonic() + 10
    while time.monotonic() < limit:  # vivid is back when the last program has closed it
        with suppress(CameraError), opened(path, trigger="free") as camera:
            assert camera.read(5).status is FrameStatus.OK
            return
        time.sleep(0.2)
    raise AssertionError("it never came back")


def _open_and_close(path: str, **settings) -> None:
    with opened(path, **settings):
        pass


CASES: tuple[Callable[[str], None], ...] = (
    it_tells_its_name_and_formats,
    grey_comes_as_grey_from_both_formats,
    colour_comes_as_colour,
    pictures_are_dated_by_the_kernels_clock,
    a_trigger_is_answered_by_a_picture_exposed_after_it,
    a_slow_reader_gets_new_pictures,
    another_format_or_size_is_refused,
    a_device_that_another_has_is_in_use,
    a_device_that_falls_silent_is_lost_in_time,
    pictures_that_the_device_drops_are_seen_to_be_lost,
    a_device_that_is_unplugged_is_lost_and_had_again,
)


def main(path: str) -> int:
    failed = 0
    for case in CASES:
        began = time.monotonic()
        try:
            case(path)
        except Exception:
            failed += 1
            print(f"FAILED {case.__name__}\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok {case.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"{len(CASES) - failed} of {len(CASES)} held", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
