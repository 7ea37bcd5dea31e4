"""The pictures of a GigE camera: whole or marked, in order, each once, dated when they were exposed."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from aravis_parts import QUICK, SMALL, back, drawn, left_open, read_on, started
from gige_simulator import gige_cameras

from camera import CameraLost, CameraTimeout, FrameStatus, PixelFormat, TriggerNotReady, make_camera
from camera.supervised import SupervisedCamera


def shot(camera):
    camera.trigger()
    return camera.read(5)


def test_each_software_trigger_gives_one_picture_that_is_exactly_what_the_camera_sent(make):
    camera = started(make())
    for number in range(5):
        before_ns = time.monotonic_ns()
        frame = shot(camera)
        assert (frame.sequence, frame.trigger_sequence, frame.status) == (number, number, FrameStatus.OK)
        assert np.array_equal(frame.pixels, drawn(frame.device_frame_id))
        assert before_ns - 2_000_000 <= frame.exposed_ns <= frame.received_ns <= time.monotonic_ns()
        assert frame.device_clock == "free"


def test_of_a_burst_of_five_triggers_four_are_told_and_one_gives_its_picture(make):
    camera = started(make())
    camera.trigger()
    for _ in range(4):
        with pytest.raises(TriggerNotReady, match="not here yet"):
            camera.trigger()
    assert camera.read(5).trigger_sequence == 0
    with pytest.raises(CameraTimeout):
        camera.read(0.2)
    assert shot(camera).trigger_sequence == 1, "a trigger that was told is none"


def test_frame_ids_of_sixteen_bits_wrap_without_a_gap(make):
    camera = started(make(trigger="free", frames="every", settings=QUICK))
    frames = [camera.read(5) for _ in range(140)]
    ids = [frame.device_frame_id for frame in frames]
    assert ids[0] > 65_000
    assert ids[-1] < 100
    assert 0 not in ids
    assert [frame.sequence for frame in frames] == list(range(140))


def test_lost_packets_never_give_a_picture_that_looks_whole():
    with gige_cameras(lost_per_thousand=1) as (simulator,):
        settings = {"driver": "aravis", "device": simulator.address, "trigger": "free", "frames": "every"}
        camera = SupervisedCamera({**settings, "settings": QUICK, "packet_size": 576, "retention_ms": 10})
        try:
            started(camera)
            frames = [camera.read(5) for _ in range(400)]
            counted = camera.counters()
        finally:
            camera.end()
    bad = [frame for frame in frames if frame.status is not FrameStatus.OK]
    assert bad, "0.1 % of 6000 packets"
    for frame in bad:
        assert frame.status is FrameStatus.INCOMPLETE
        assert frame.pixels is None, "in the gaps would be parts of an older picture"
        assert "did not arrive whole" in frame.detail
    assert any("packets are missing" in frame.detail for frame in bad)
    for frame in frames:
        if frame.status is FrameStatus.OK:
            assert np.array_equal(frame.pixels, drawn(frame.device_frame_id))
    sequences = [frame.sequence for frame in frames]
    assert sequences == sorted(set(sequences))
    assert counted["failures"] >= len(bad)
    assert counted["missing_packets"] > 0


def test_a_picture_without_its_first_packet_is_not_taken_for_the_one_that_was_in_its_buffer_before():
    with gige_cameras(lost_per_thousand=200) as (simulator,):
        settings = {"driver": "aravis", "device": simulator.address, "trigger": "free", "frames": "every"}
        camera = make_camera({**settings, "settings": QUICK, "retention_ms": 5, "buffers_frames": 4})
        try:
            started(camera)
            frames = [camera.read(5) for _ in range(60)]
        finally:
            camera.close()
    headless = [frame for frame in frames if frame.device_frame_id is None]
    assert headless, "one in five"
    assert all("its first packet never came" in frame.detail for frame in headless)
    assert not any(frame.status is FrameStatus.OK for frame in headless)
    sequences = [frame.sequence for frame in frames]
    assert sequences == sorted(set(sequences))


def test_a_frame_that_is_kept_never_changes(make):
    camera = started(make(trigger="free", frames="every", settings=QUICK, buffers_frames=4))
    kept = [camera.read(5) for _ in range(40)]
    assert all(np.array_equal(frame.pixels, drawn(frame.device_frame_id)) for frame in kept)
    assert not any(frame.pixels.flags.writeable for frame in kept)


def test_pictures_that_waited_show_their_true_age_and_what_found_no_buffer_is_a_jump(make):
    camera = started(make(trigger="free", frames="every", settings=QUICK, buffers_frames=4))
    first = camera.read(5)
    busy_until = time.monotonic() + 0.5
    threading.Event().wait(busy_until - time.monotonic())
    waited = camera.read(5)
    assert waited.sequence == first.sequence + 1, "oldest first"
    assert waited.received_ns - waited.exposed_ns > 300_000_000, "it lay in the library's queue, and says so"
    jumps = [camera.read(5).sequence for _ in range(8)]
    assert jumps[-1] > waited.sequence + 40
    assert camera.counters()["underruns"] > 0


@pytest.mark.parametrize("pattern", ["RG", "GR", "GB", "BG"])
def test_bayer_pictures_come_out_in_colour(make, pattern):
    camera = started(make(settings=[*SMALL, ["PixelFormat", f"Bayer{pattern}8"]]))
    frame = shot(camera)
    assert frame.pixel_format is PixelFormat.BGR8
    assert frame.pixels.shape == (64, 128, 3)
    assert frame.pixels.flags.owndata


def test_rgb_and_deep_pictures(make):
    camera = started(make(settings=[*SMALL, ["PixelFormat", "RGB8"]]))
    frame = shot(camera)
    assert (frame.pixel_format, frame.pixels.shape) == (PixelFormat.RGB8, (64, 128, 3))
    camera.close()
    camera = started(make(settings=[*SMALL, ["PixelFormat", "Mono16"]]))
    frame = shot(camera)
    y, x = np.mgrid[:64, :128]
    expected = ((256 * (x + frame.device_frame_id + y)) % 65535) >> 8
    assert (frame.pixel_format, frame.pixels.dtype) == (PixelFormat.MONO8, np.uint8)
    assert np.array_equal(frame.pixels, expected.astype(np.uint8))


def test_frames_not_read_before_stop_are_dropped_and_counters_go_on(make):
    camera = started(make(trigger="free", frames="every", settings=QUICK))
    camera.read(5)
    threading.Event().wait(0.05)
    camera.stop()
    before = camera.counters()["completed_buffers"]
    camera.start()
    began_ns = time.monotonic_ns()
    frame = camera.read(5)
    assert frame.sequence == 0
    assert frame.exposed_ns > began_ns - 50_000_000
    assert camera.counters()["completed_buffers"] > before


def test_close_from_another_thread_ends_a_read_that_waits(make):
    camera = started(make())
    closer = threading.Timer(0.2, camera.close)
    closer.start()
    began = time.monotonic()
    with pytest.raises(CameraLost, match="closed"):
        camera.read(30)
    assert time.monotonic() - began < 3
    closer.join()


def test_fifty_times_open_and_close_leave_no_thread_and_no_file_behind(make):
    camera = make()

    def once():
        shot(started(camera))
        camera.close()

    once()
    before = left_open()
    for _ in range(50):
        once()
    assert left_open() == before


@pytest.mark.slow
def test_a_killed_driver_is_replaced_and_finds_the_camera_as_it_was_left(supervise):
    camera = started(supervise(trigger="free", settings=QUICK))
    camera.read(5)
    os.kill(camera.pid, signal.SIGKILL)
    with pytest.raises(CameraLost):
        read_on(camera)
    camera.close()
    back(camera)  # after the heartbeat's three seconds: until then the camera is the killed one's
    frame = camera.read(5)
    assert (frame.sequence, frame.status) == (0, FrameStatus.OK)
    assert np.array_equal(frame.pixels, drawn(frame.device_frame_id))
