"""What every driver promises (see camera.protocol), tried with every kind of camera, here and in its own process."""

import hashlib
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from running import until

from camera import Camera, CameraError, CameraLost, CameraTimeout, FrameStatus, PixelFormat, TriggerNotReady


def is_triggered(camera):
    try:
        camera.trigger()
    except TriggerNotReady:
        return False
    return True


def shoot(camera):
    """One trigger, one frame."""
    until(lambda: is_triggered(camera), "the camera to be ready for a trigger", 10)
    return camera.read(10)


def started(camera):
    camera.open()
    camera.start()
    return camera


def digest(frame):
    return hashlib.sha256(frame.pixels.tobytes()).hexdigest()


def test_it_is_a_camera_and_says_who_it_is(part, opened):
    assert isinstance(opened, Camera)
    assert opened.info.driver == part.settings["driver"]
    assert opened.info.model
    assert opened.info.serial
    assert all(name and isinstance(said, str) for name, said in opened.info.settings)
    assert not opened.triggers_itself


def test_each_trigger_has_its_frame_and_both_count_from_zero_at_each_start(opened):
    for _ in range(2):
        opened.start()
        frames = [shoot(opened) for _ in range(4)]
        assert [(frame.sequence, frame.trigger_sequence) for frame in frames] == [(n, n) for n in range(4)]
        opened.stop()


def test_a_frame_is_whole_and_says_how_to_read_its_pixels(acquiring):
    frame = shoot(acquiring)
    assert (frame.status, frame.detail) == (FrameStatus.OK, "")
    channels = {PixelFormat.MONO8: (), PixelFormat.BGR8: (3,), PixelFormat.RGB8: (3,)}[frame.pixel_format]
    assert frame.pixels.shape == (*frame.shape, *channels)
    assert frame.pixels.dtype.name == "uint8"
    assert min(frame.shape) >= 24


def test_a_frame_was_exposed_after_its_trigger_and_before_it_came(acquiring):
    for _ in range(3):
        shoot(acquiring)  # clocks are learnt from the first ones
    until(lambda: is_triggered(acquiring), "the camera to be ready", 10)
    triggered_ns = time.monotonic_ns()
    frame = acquiring.read(10)
    read_ns = time.monotonic_ns()
    assert triggered_ns - 20_000_000 <= frame.exposed_ns <= frame.received_ns <= read_ns
    assert abs((time.time_ns() - frame.exposed_utc_ns) - (time.monotonic_ns() - frame.exposed_ns)) < 50_000_000
    assert (frame.device_time_ns is None) == (frame.device_clock == "")
    assert frame.skipped_before == 0


def test_frames_that_are_kept_never_change_and_cannot_be_written(acquiring):
    frames = [shoot(acquiring) for _ in range(14)]  # more than there are slots in shared memory
    digests = [digest(frame) for frame in frames]
    for _ in range(5):
        shoot(acquiring)
    assert [digest(frame) for frame in frames] == digests
    assert not any(frame.pixels.flags.writeable for frame in frames)
    with pytest.raises(ValueError, match="read-only"):
        frames[0].pixels[0, 0] = 1


@pytest.mark.parametrize("timeout_s", [0.0, 0.2])
def test_a_read_without_a_trigger_ends_at_its_timeout_and_may_go_on(acquiring, timeout_s):
    shoot(acquiring)
    began = time.monotonic()
    with pytest.raises(CameraTimeout):
        acquiring.read(timeout_s)
    took_s = time.monotonic() - began
    assert timeout_s * 0.95 <= took_s < timeout_s + 0.7
    assert shoot(acquiring).trigger_sequence == 1


def test_no_trigger_is_answered_with_the_frame_of_another(part, acquiring):
    """Five at once: each is refused, or has its own frame; a camera that drops some without a word gives no more."""
    shoot(acquiring)
    until(lambda: is_triggered(acquiring), "the camera to be ready", 10)
    accepted = 1 + sum(is_triggered(acquiring) for _ in range(4))
    frames = []
    with suppress(CameraTimeout):
        while len(frames) < 6:
            frames.append(acquiring.read(1.0))
    assert len(frames) == accepted if part.takes_bursts else 1 <= len(frames) <= accepted
    answered = [frame.trigger_sequence for frame in frames]
    assert answered == sorted(set(answered))
    assert shoot(acquiring).trigger_sequence > answered[-1]


def test_a_trigger_from_before_stop_is_answered_by_nothing_afterwards(opened):
    """The simulator of GigE cameras exposes such a one after all: then the frame says that nobody asked for it."""
    opened.start()
    until(lambda: is_triggered(opened), "the camera to be ready", 10)
    opened.stop()
    opened.stop()
    opened.start()
    try:
        with suppress(CameraTimeout):
            assert opened.read(0.15).trigger_sequence is None
    finally:
        opened.stop()


def test_what_it_counts_are_numbers_with_names(acquiring):
    shoot(acquiring)
    counted = acquiring.counters()
    assert all(isinstance(name, str) and isinstance(count, int) and count >= 0 for name, count in counted.items())
    acquiring.idle()


def test_calls_out_of_order_are_bugs_of_the_caller(build, opened):
    fresh = build()
    fresh.stop()
    fresh.close()
    with pytest.raises(RuntimeError):
        _ = fresh.info
    for call in (fresh.start, fresh.trigger, lambda: fresh.read(0.1)):
        with pytest.raises(RuntimeError):
            call()
    for call in (opened.open, opened.trigger, lambda: opened.read(0.1)):
        with pytest.raises(RuntimeError):
            call()
    opened.start()
    with pytest.raises(RuntimeError):
        opened.start()
    opened.stop()


def test_a_free_running_camera_gives_the_newest_picture_and_names_no_trigger(part, build):
    """Also to a reader who is slow: no picture grows old, and those between are counted."""
    camera = started(build(**part.free))
    assert camera.triggers_itself
    with pytest.raises(RuntimeError):
        camera.trigger()
    frames = [camera.read(10) for _ in range(5)]
    busy_until = time.monotonic() + 0.5
    until(lambda: time.monotonic() > busy_until, "a reader who is busy elsewhere", 5)
    late = camera.read(10)
    age_s = (time.monotonic_ns() - late.exposed_ns) / 1e9
    frames.append(late)
    assert {frame.trigger_sequence for frame in frames} == {None}
    sequences = [frame.sequence for frame in frames]
    assert sequences == sorted(set(sequences))
    assert age_s < 0.4, "it was not the newest"
    assert late.skipped_before >= 3


def test_close_ends_a_read_that_waits_and_the_camera_may_be_opened_again(build):
    camera = build()
    started(camera)
    first = shoot(camera).epoch
    raised, reading = [], threading.Event()

    def read():
        reading.set()
        try:
            camera.read(30)
        except CameraError as lost:
            raised.append((time.monotonic(), lost))

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(5)
    closed_at = time.monotonic()
    camera.close()
    reader.join(10)
    (ended_at, lost), *_ = raised
    assert isinstance(lost, CameraLost)
    assert "closed" in str(lost)
    assert ended_at - closed_at < 2
    camera.close()
    for call in (camera.start, camera.trigger, lambda: camera.read(0.1)):
        with pytest.raises(CameraLost):
            call()
    started(camera)
    again = shoot(camera)
    assert (again.epoch, again.sequence) == (first + 1, 0)


def test_an_unplugged_camera_is_lost_and_comes_back(part, build):
    if part.unplug is None:
        pytest.skip("nothing here can unplug this one")
    camera = build(**part.free)
    started(camera)
    camera.read(10)
    part.unplug()
    try:
        with pytest.raises(CameraLost):
            read_on(camera, 15)
    finally:
        part.plug()
    camera.close()
    until(lambda: is_open(camera), "the camera to be there again", 20)
    camera.start()
    assert camera.read(10).status is FrameStatus.OK


def read_on(camera, for_s):
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        with suppress(CameraTimeout):
            camera.read(0.5)


def is_open(camera):
    try:
        camera.open()
    except CameraError:
        return False
    return True


def held():
    """What this process has open, by kind: files, sockets, and shared memory that is mapped."""
    files = Counter()
    for one in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            files[str(one.readlink()).partition(":")[0]] += 1
    return files, Path("/proc/self/maps").read_text().count("camera frames")


@pytest.mark.parametrize("times", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_opening_and_closing_leaves_no_thread_and_no_file_behind(build, times):
    camera = build()
    for _ in range(2):  # libraries open what they keep
        started(camera)
        shoot(camera)
        camera.close()
    threads, (files, maps) = threading.active_count(), held()
    for _ in range(times):
        started(camera)
        shoot(camera)
        camera.close()

    def is_all_let_go():
        now, now_maps = held()
        return threading.active_count() <= threads and not now - files and now_maps <= maps

    until(is_all_let_go, "everything to be let go of", 5)
