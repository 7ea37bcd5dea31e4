"""Basler's library: what a line engineer sets, what the camera then does, and what is told when it does not."""

import subprocess
import sys
import time

import pytest
from running import until

from camera import (
    CameraConfigError,
    CameraLost,
    CameraNotFound,
    CameraTimeout,
    FrameStatus,
    PixelFormat,
    TriggerNotReady,
)
from camera.discovery import discover

pytestmark = pytest.mark.timeout(method="thread")  # see leave_alarms_to_pylon()


def started(camera):
    camera.open()
    camera.start()
    return camera


def is_triggered(camera):
    try:
        camera.trigger()
    except TriggerNotReady:
        return False
    return True


def shoot(camera):
    until(lambda: is_triggered(camera), "the camera to be ready", 5)
    return camera.read(5)


def test_the_pictures_come_out_of_the_library_in_order_one_for_each_trigger(make, grey_pictures):
    camera = started(make(grey_pictures))
    frames = [shoot(camera) for _ in range(8)]
    assert [int(frame.pixels.min()) for frame in frames] == [10, 50, 90, 130, 170, 210, 10, 50]
    assert all(frame.pixels.min() == frame.pixels.max() for frame in frames)
    assert [(frame.sequence, frame.trigger_sequence) for frame in frames] == [(n, n) for n in range(8)]


def test_of_five_triggers_at_once_the_camera_takes_one_and_the_other_four_are_told(make, grey_pictures):
    """The camera itself drops them without a word, and numbers its pictures as if nothing had been."""
    camera = started(make(grey_pictures))
    shoot(camera)
    until(lambda: is_triggered(camera), "the camera to be ready", 5)
    assert [is_triggered(camera) for _ in range(4)] == [False] * 4
    assert camera.read(5).trigger_sequence == 1
    with pytest.raises(CameraTimeout):
        camera.read(0.1)
    assert shoot(camera).sequence == 2


def test_a_camera_that_cannot_say_whether_it_is_ready_gets_one_trigger_at_a_time(make, monkeypatch):
    camera = started(make())  # the emulator is ready then
    monkeypatch.setattr(camera, "_can_say_ready", False)
    camera.trigger()
    with pytest.raises(TriggerNotReady, match="not here"):
        camera.trigger()
    assert camera.read(5).trigger_sequence == 0
    camera.trigger()
    assert camera.read(5).trigger_sequence == 1


def test_pictures_that_did_not_arrive_whole_say_so_and_are_counted(make):
    camera = started(make([["ForceFailedBufferCount", 3], ["ForceFailedBuffer", True]]))
    frames = [shoot(camera) for _ in range(5)]
    assert [frame.status for frame in frames] == [FrameStatus.INCOMPLETE] * 3 + [FrameStatus.OK] * 2
    assert "incompletely grabbed" in frames[0].detail
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3, 4]
    assert camera.counters()["failed_buffers"] == 3


def test_a_photo_eye_that_sees_nothing_is_an_idle_line_and_no_fault(make):
    camera = started(make(trigger="hardware", trigger_source="Line1", trigger_activation="FallingEdge"))
    for _ in range(3):
        with pytest.raises(CameraTimeout):
            camera.read(0.1)
    assert ("TriggerSource", "Line1") in camera.info.settings
    assert ("TriggerActivation", "FallingEdge") in camera.info.settings


def test_a_free_running_camera_gives_the_newest_picture_and_says_what_it_passed_over(make):
    rate = [["AcquisitionFrameRateEnable", True], ["AcquisitionFrameRate", 50.0]]
    camera = started(make(rate, trigger="free"))
    first = camera.read(5)
    until(lambda: camera.counters()["not_taken_in_time"] >= 5, "five pictures that nobody took", 10)
    late = camera.read(5)
    assert late.skipped_before >= 5
    assert late.sequence == first.sequence + late.skipped_before + 1
    assert time.monotonic_ns() - late.exposed_ns < 1_000_000_000


def test_every_picture_of_a_free_running_camera_in_order_where_that_is_wanted(make):
    rate = [["AcquisitionFrameRateEnable", True], ["AcquisitionFrameRate", 50.0]]
    camera = started(make(rate, trigger="free", frames="every"))
    assert [camera.read(5).sequence for _ in range(10)] == list(range(10))


def test_a_free_running_camera_that_falls_silent_is_lost(make):
    rate = [["AcquisitionFrameRateEnable", True], ["AcquisitionFrameRate", 0.5]]
    camera = started(make(rate, trigger="free", frame_rate_hz=30))
    with pytest.raises(CameraLost, match="runs free and has given no frame for 1 s"):
        camera.read(30)


def test_its_numbers_begin_anew_at_each_start(make):
    camera = started(make())
    assert [shoot(camera).sequence for _ in range(3)] == [0, 1, 2]
    camera.stop()
    camera.start()
    assert shoot(camera).sequence == 0


def test_a_clock_that_does_not_run_is_no_clock(make):
    """The emulator's time stamp is always 0. The end of exposure is then that of the trigger."""
    camera = started(make([["ExposureTime", 5000.0]]))
    before_ns = time.monotonic_ns()
    frame = shoot(camera)
    assert frame.device_time_ns is None
    assert frame.device_clock == ""
    assert before_ns + 5_000_000 <= frame.exposed_ns <= frame.received_ns <= time.monotonic_ns()


@pytest.mark.parametrize(
    ("name", "pixel_format", "red"),
    [
        ("RGB8Packed", PixelFormat.RGB8, (255, 0, 0)),
        ("BGR8Packed", PixelFormat.BGR8, (0, 0, 255)),
        *[(name, PixelFormat.BGR8, (0, 0, 255)) for name in ("BayerRG8", "BayerGR8", "BayerGB8", "BayerBG8")],
    ],
)
def test_red_is_red_in_every_format(make, red_and_blue, name, pixel_format, red):
    frame = shoot(started(make([["PixelFormat", name], *red_and_blue])))
    assert frame.pixel_format is pixel_format
    assert tuple(frame.pixels[24, 10]) == red
    assert tuple(frame.pixels[24, 50]) == red[::-1]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ([["ExposureTime", 1e9]], r"ExposureTime cannot be 1000000000 \(it may be 1 to 10000000 us"),
        ([["ExposureTme", 100.0]], "no feature ExposureTme; did you mean ExposureTime"),
        ([["PixelFormat", "Mono9"]], "did you mean Mono8"),
        ([["PixelFormat", "Mono12"]], "PixelFormat Mono12 cannot be judged: set it to one of Mono8"),
        ([["AcquisitionMode", True]], "AcquisitionMode = true is no value"),
    ],
)
def test_a_setting_that_the_camera_does_not_take_is_refused_and_the_camera_let_go_of(make, settings, sentence):
    camera = make(settings)
    with pytest.raises(CameraConfigError, match=sentence):
        camera.open()
    started(make())


def test_what_was_applied_is_known_afterwards_in_its_order(make):
    camera = make([["ReverseX", True], ["ExposureTime", 1000.0]])
    camera.open()
    settings = (("Width", "64"), ("Height", "48"), ("ReverseX", "true"), ("ExposureTime", "1000"))
    assert camera.info.settings[:4] == settings
    assert camera.info.is_simulated


@pytest.mark.parametrize("device", ["0815-0001", "Emulation (0815-0001)"])
def test_a_camera_is_chosen_by_its_serial_number_or_full_name(make, device):
    camera = make(device=device)
    camera.open()
    assert camera.info.serial == "0815-0001"


def test_a_camera_that_is_not_there_is_not_found_and_the_others_are_named(make):
    with pytest.raises(CameraNotFound, match="no Basler camera 4711; there are 0815-0000, 0815-0001"):
        make(device="4711").open()


def test_with_two_cameras_one_has_to_be_named(make):
    with pytest.raises(CameraConfigError, match="set device to one of 0815-0000, 0815-0001"):
        make(device=None).open()


def test_without_any_camera_none_is_found(make, monkeypatch):
    monkeypatch.setenv("PYLON_CAMEMU", "0")
    with pytest.raises(CameraNotFound, match="cable and power"):
        make(device=None).open()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"counter": "chunk"}, "neither CounterValue nor Triggerinputcounter"),
        ({"counter": "register"}, "no CounterValue"),
        ({"trigger_source": "Line9"}, "TriggerSource cannot be Line9"),
    ],
)
def test_a_count_of_pulses_that_the_camera_does_not_give_is_refused(make, changes, sentence):
    with pytest.raises(CameraConfigError, match=sentence):
        make(trigger="hardware", **changes).open()


def test_both_emulated_cameras_are_discovered_with_the_section_that_opens_them(make):
    (looked,) = discover(1.0, {"pylon": "camera.drivers.pylon.discovering"})
    assert looked.problem == ""
    assert [found.serial for found in looked.found] == ["0815-0000", "0815-0001"]
    settings = dict(looked.found[1].settings)
    assert settings.pop("driver") == "pylon"
    camera = make(**settings)
    camera.open()
    assert camera.info.serial == "0815-0001"


def without_pypylon(program):
    """Runs it where pypylon cannot be imported."""
    hidden = "import sys; sys.modules['pypylon'] = None\n"
    return run(hidden + program)


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_the_library_opening_says_how_to_install_it():
    said = without_pypylon(
        "from camera import *\ntry: open_camera({'driver': 'pylon'})\nexcept CameraConfigError as error: print(error)"
    )
    assert "pip install 'inspection-appliance[pylon]'" in said


def test_without_the_library_looking_for_cameras_says_how_to_install_it():
    said = without_pypylon("from camera.drivers.pylon.discovering import discover; print(discover(1.0).problem)")
    assert "pip install 'inspection-appliance[pylon]'" in said


def test_the_library_is_not_loaded_for_other_cameras():
    said = run("import sys; from camera import *; make_camera({'driver': 'pylon'}); print(*sys.modules)")
    assert "camera.drivers.pylon" in said
    assert "pypylon" not in said.split()
