"""What cameras without a sensor promise beyond the contract: exposures to the millisecond, and their faults."""

import hashlib
import itertools
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from camera import Camera, CameraLost, CameraTimeout, FrameStatus, PixelFormat, TriggerNotReady


def shoot(camera):
    """One trigger, one frame; a trigger that comes too early is tried again when the camera is ready."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with suppress(TriggerNotReady):
            camera.trigger()
            return camera.read(5)
        with suppress(CameraTimeout):
            camera.read(0.001)
    raise AssertionError("the camera never became ready")


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def started(camera):
    camera.open()
    camera.start()
    return camera


def test_every_driver_is_a_camera(make):
    camera = make()
    camera.open()
    assert isinstance(camera, Camera)


def test_info_is_known_after_open(make):
    camera = make()
    with pytest.raises(RuntimeError):
        _ = camera.info
    camera.open()
    assert camera.info.driver
    assert camera.info.serial


def test_sequence_counts_from_zero_at_start_and_again_after_the_next_start(make):
    camera = started(make())
    assert [shoot(camera).sequence for _ in range(5)] == [0, 1, 2, 3, 4]
    camera.stop()
    camera.start()
    assert [shoot(camera).sequence for _ in range(2)] == [0, 1]


def test_a_frame_names_the_trigger_that_it_answers(make):
    camera = started(make())
    assert [shoot(camera).trigger_sequence for _ in range(3)] == [0, 1, 2]


def test_a_camera_that_triggers_itself_names_no_trigger_and_takes_none(make):
    camera = started(make(trigger="timed", takt_s=0.01))
    assert camera.triggers_itself
    frames = [camera.read(5) for _ in range(4)]
    assert [frame.trigger_sequence for frame in frames] == [None] * 4
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3]
    with pytest.raises(RuntimeError):
        camera.trigger()


def test_frames_of_a_timed_camera_are_one_takt_apart(make):
    camera = started(make(trigger="timed", takt_s=0.02))
    exposed = [camera.read(5).exposed_ns for _ in range(6)]
    assert {late - early for early, late in itertools.pairwise(exposed)} == {20_000_000}


def test_a_held_frame_never_changes_and_cannot_be_written(make):
    camera = started(make())
    frames = [shoot(camera) for _ in range(50)]
    digests = [hashlib.sha256(frame.pixels).digest() for frame in frames]
    for _ in range(5):
        shoot(camera)
    assert [hashlib.sha256(frame.pixels).digest() for frame in frames] == digests
    assert len(set(digests)) == 50, "no two of these pictures are the same"
    assert not any(frame.pixels.flags.writeable for frame in frames)
    with pytest.raises(ValueError, match="read-only"):
        frames[0].pixels[0, 0] = 1


def test_a_frame_is_dated_between_its_trigger_and_its_arrival(make):
    camera = started(make())
    before, before_utc = time.monotonic_ns(), time.time_ns()
    frame = shoot(camera)
    assert before <= frame.exposed_ns <= time.monotonic_ns()
    assert before_utc - 1_000_000 <= frame.exposed_utc_ns <= time.time_ns() + 1_000_000
    assert frame.is_simulated


def test_shape_and_format_of_the_pixels_agree(make):
    camera = started(make())
    frame = shoot(camera)
    assert frame.status is FrameStatus.OK
    assert frame.detail == ""
    assert frame.pixel_format is PixelFormat.MONO8
    assert frame.pixels.shape == frame.shape


def test_colour_is_three_channels(make):
    frame = shoot(started(make(pixel_format="BGR8")))
    assert frame.pixel_format is PixelFormat.BGR8
    assert frame.pixels.shape == (*frame.shape, 3)


def test_a_frame_comes_no_earlier_than_the_camera_can_read_it_out(make):
    camera = started(make(latency_s=0.05))
    began = time.monotonic()
    camera.trigger()
    camera.read(5)
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize("timeout_s", [0.0, 0.05, 0.2])
def test_reading_without_a_trigger_ends_at_its_timeout_and_may_go_on(make, timeout_s):
    camera = started(make())
    shoot(camera)
    began = time.monotonic()
    with pytest.raises(CameraTimeout):
        camera.read(timeout_s)
    took_s = time.monotonic() - began
    assert timeout_s <= took_s < timeout_s + 0.5
    assert shoot(camera).sequence == 1


def test_a_trigger_while_the_camera_is_busy_is_told(make):
    camera = started(make(latency_s=0.3))
    camera.trigger()
    with pytest.raises(TriggerNotReady, match="ready again in"):
        camera.trigger()
    assert camera.read(5).sequence == 0
    camera.trigger()
    assert camera.read(5).sequence == 1


def test_a_camera_that_drops_triggers_makes_one_frame_of_three(make):
    camera = started(make(latency_s=0.3, drop_overtriggers=True))
    for _ in range(3):
        camera.trigger()
    assert camera.read(5).trigger_sequence == 0
    camera.trigger()
    frame = camera.read(5)
    assert frame.sequence == 1, "no exposure was made for the dropped triggers, so none is missing"
    assert frame.trigger_sequence == 3, "but the triggers were counted"


def test_epoch_goes_up_at_every_open(make):
    camera = make()
    epochs = []
    for _ in range(3):
        started(camera)
        epochs.append(shoot(camera).epoch)
        camera.close()
    assert epochs == [epochs[0], epochs[0] + 1, epochs[0] + 2]


def test_close_may_be_called_twice_and_before_open(make):
    camera = make()
    camera.close()
    started(camera)
    camera.close()
    camera.close()


def test_close_from_another_thread_ends_a_blocked_read(make):
    camera = started(make())
    raised, reading = [], threading.Event()

    def read():
        reading.set()
        try:
            camera.read(30)
        except CameraLost as lost:
            raised.append((time.monotonic(), str(lost)))

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(5)
    closed_at = time.monotonic()
    camera.close()
    reader.join(5)
    assert not reader.is_alive()
    assert raised[0][0] - closed_at < 2
    assert "closed" in raised[0][1]


def test_a_closed_camera_is_lost_until_it_is_opened_again(make):
    camera = started(make())
    camera.close()
    for call in (camera.start, camera.trigger, lambda: camera.read(0.1)):
        with pytest.raises(CameraLost):
            call()
    started(camera)
    assert shoot(camera).sequence == 0


def test_frames_not_read_before_stop_are_dropped(make):
    camera = started(make())
    camera.trigger()
    camera.stop()
    camera.start()
    with pytest.raises(CameraTimeout):
        camera.read(0.05)


def test_stop_does_nothing_where_nothing_was_started(make):
    camera = make()
    camera.stop()
    camera.open()
    camera.stop()


def test_calls_out_of_order_are_bugs_of_the_caller(make):
    camera = make()
    for call in (camera.start, camera.trigger, lambda: camera.read(0.1)):
        with pytest.raises(RuntimeError):
            call()
    camera.open()
    for call in (camera.open, camera.trigger, lambda: camera.read(0.1)):
        with pytest.raises(RuntimeError):
            call()
    camera.start()
    with pytest.raises(RuntimeError):
        camera.start()


def test_frames_wait_oldest_first_and_what_finds_no_buffer_is_a_jump_in_the_sequence(make):
    camera = started(make(trigger="timed", takt_s=0.01, buffers_frames=3))
    assert camera.read(5).sequence == 0
    wait_until = time.monotonic() + 0.1
    threading.Event().wait(wait_until - time.monotonic())  # a consumer that is busy elsewhere
    assert [camera.read(5).sequence for _ in range(3)] == [1, 2, 3]
    assert camera.read(5).sequence > 8


def test_thirty_times_open_and_close_leave_no_thread_and_no_file_behind(make):
    camera = make()
    started(camera)
    shoot(camera)
    camera.close()
    threads, files = threading.active_count(), open_files()
    for _ in range(30):
        started(camera)
        shoot(camera)
        camera.close()
    assert threading.active_count() == threads
    assert open_files() == files
