"""The newest frame of a free-running camera; see camera.newest. The camera inside is the virtual one."""

import itertools
import threading
import time

import pytest

from camera import CameraLost, CameraTimeout, EndOfPictures, make_camera
from camera.newest import Newest
from camera.supervised import SupervisedCamera

TAKT_S = 0.02
SMALL = {"driver": "virtual", "width_px": 96, "height_px": 60, "latency_s": 0.001, "exposure_s": 0.0}
FREE = {**SMALL, "trigger": "timed", "takt_s": TAKT_S, "frames": "newest"}


@pytest.fixture(
    params=[make_camera, pytest.param(SupervisedCamera, marks=pytest.mark.slow)], ids=["here", "supervised"]
)
def make(request):
    made = []

    def one(settings):
        made.append(request.param(settings))
        made[-1].open()
        made[-1].start()
        return made[-1]

    yield one
    for camera in made:
        camera.end() if isinstance(camera, SupervisedCamera) else camera.close()


def test_a_slow_reader_gets_new_pictures_and_is_told_what_was_passed_over(make):
    camera = make(FREE)
    frames, ages = [], []
    for _ in range(6):
        frames.append(camera.read(2))
        ages.append((time.monotonic_ns() - frames[-1].exposed_ns) / 1e9)
        threading.Event().wait(10 * TAKT_S)
    assert sorted(ages)[3] < 4 * TAKT_S, "a picture would be a second old by now, were each given"
    for earlier, later in itertools.pairwise(frames):
        assert later.sequence - earlier.sequence - 1 == later.skipped_before, "none was lost"
        assert later.skipped_before >= 5
    assert camera.counters()["passed_over"] >= 25


def test_a_quick_reader_gets_each_picture_once(make):
    camera = make(FREE)
    sequences = [camera.read(2).sequence for _ in range(20)]
    assert sequences == sorted(set(sequences))


def test_the_reading_thread_ends_with_stop_and_begins_again_with_start():
    camera = make_camera(FREE)
    assert isinstance(camera, Newest)
    threads = threading.active_count()
    camera.open()
    for _ in range(3):
        camera.start()
        assert camera.read(2).skipped_before >= 0
        assert threading.active_count() == threads + 1
        camera.stop()
        assert threading.active_count() == threads
        with pytest.raises(RuntimeError):
            camera.read(0.1)
    camera.close()


def test_close_from_another_thread_ends_a_read_that_waits(make):
    camera = make({**FREE, "takt_s": 60.0})
    closing = threading.Timer(0.2, camera.close)
    closing.start()
    with pytest.raises(CameraLost, match="closed"):
        camera.read(30)
    closing.join()
    with pytest.raises(CameraLost):
        camera.read(1)
    camera.open()
    camera.start()
    with pytest.raises(CameraTimeout):
        camera.read(0.1)


def test_a_camera_that_is_lost_is_lost_for_who_reads(make):
    camera = make({**FREE, "misbehave": {"gone": {"at_exposures": [5], "gone_s": 0.0}}})

    def read_on():
        for _ in range(20):
            camera.read(2)

    with pytest.raises(CameraLost, match="does not answer any more"):
        read_on()


def test_the_end_of_the_pictures_comes_after_the_last_one(make, pictures):
    camera = make(
        {
            "driver": "folder",
            "folder": str(pictures),
            "repeat": False,
            "trigger": "timed",
            "takt_s": 0.005,
            "frames": "newest",
        }
    )
    threading.Event().wait(0.6)
    assert camera.read(2).sequence == 59
    with pytest.raises(EndOfPictures):
        camera.read(2)


def test_it_cannot_be_triggered(make):
    camera = make(FREE)
    assert camera.triggers_itself
    with pytest.raises(RuntimeError):
        camera.trigger()
