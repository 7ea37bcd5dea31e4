"""What cameras without a sensor promise beyond the contract: exposures to the millisecond, and their faults."""

import itertools
import threading
import time
from contextlib import suppress

import pytest

from camera import CameraTimeout, PixelFormat, TriggerNotReady


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


def started(camera):
    camera.open()
    camera.start()
    return camera


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


def test_a_frame_is_dated_between_its_trigger_and_its_arrival(make):
    camera = started(make())
    before, before_utc = time.monotonic_ns(), time.time_ns()
    frame = shoot(camera)
    assert before <= frame.exposed_ns <= time.monotonic_ns()
    assert before_utc - 1_000_000 <= frame.exposed_utc_ns <= time.time_ns() + 1_000_000
    assert frame.is_simulated


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


def test_frames_wait_oldest_first_and_what_finds_no_buffer_is_a_jump_in_the_sequence(make):
    camera = started(make(trigger="timed", takt_s=0.01, buffers_frames=3))
    assert camera.read(5).sequence == 0
    wait_until = time.monotonic() + 0.1
    threading.Event().wait(wait_until - time.monotonic())  # a consumer that is busy elsewhere
    assert [camera.read(5).sequence for _ in range(3)] == [1, 2, 3]
    assert camera.read(5).sequence > 8
