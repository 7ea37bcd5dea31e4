"""The virtual camera's misbehaviours, and its story told twice."""

import hashlib
import time

import pytest

from camera import CameraLost, CameraNotFound, CameraTimeout, FrameStatus, open_camera

SMALL = {"driver": "virtual", "width_px": 96, "height_px": 60, "exposure_s": 0.0, "latency_s": 0.0}


@pytest.fixture
def camera_that():
    opened = []

    def make(**misbehave):
        camera = open_camera({**SMALL, "seed": 7, "misbehave": misbehave})
        opened.append(camera)
        camera.start()
        return camera

    yield make
    for camera in opened:
        camera.close()


def shoot(camera, timeout_s=5.0):
    camera.trigger()
    return camera.read(timeout_s)


def story(camera, length=60):
    """What a reader sees of so many triggers."""
    return [what_comes(camera) for _ in range(length)]


def what_comes(camera):
    try:
        frame = shoot(camera, 0.001)
    except CameraTimeout:
        return "nothing"
    return (frame.sequence, frame.status, frame.truth["kind"], hashlib.sha256(frame.pixels).hexdigest())


def test_the_same_seed_tells_the_same_story(camera_that):
    faults = {"lost": {"rate": 0.1}, "incomplete": {"rate": 0.1}, "frozen": {"rate": 0.2, "for_exposures": 3}}
    first, second = story(camera_that(**faults)), story(camera_that(**faults))
    assert first == second
    assert "nothing" in first
    assert any(told[1] is FrameStatus.INCOMPLETE for told in first if told != "nothing")


def test_another_seed_tells_another_story():
    stories = []
    for seed in (1, 2):
        camera = open_camera({**SMALL, "seed": seed})
        camera.start()
        stories.append(story(camera, 20))
        camera.close()
    assert stories[0] != stories[1]


def test_a_late_frame_comes_late_and_is_right(camera_that):
    camera = camera_that(late={"at_exposures": [1], "late_s": 0.5})
    assert shoot(camera).sequence == 0
    camera.trigger()
    with pytest.raises(CameraTimeout):
        camera.read(0.05)
    frame = camera.read(5)
    assert (frame.sequence, frame.status) == (1, FrameStatus.OK)
    assert time.monotonic_ns() - frame.exposed_ns >= 500_000_000


def test_a_lost_frame_leaves_a_jump_in_the_sequence(camera_that):
    camera = camera_that(lost={"at_exposures": [1, 2]})
    assert shoot(camera).sequence == 0
    for _ in range(2):
        camera.trigger()
        with pytest.raises(CameraTimeout):
            camera.read(0.01)
    frame = shoot(camera)
    assert (frame.sequence, frame.trigger_sequence) == (3, 3)


def test_an_incomplete_frame_says_so_and_lacks_its_lower_part(camera_that):
    camera = camera_that(incomplete={"at_exposures": [1]})
    whole, cut = shoot(camera), shoot(camera)
    assert whole.status is FrameStatus.OK
    assert cut.status is FrameStatus.INCOMPLETE
    assert "of 60 rows arrived" in cut.detail
    arrived = int(cut.detail.split()[1])
    assert not cut.pixels[arrived:].any()
    assert cut.pixels[:arrived].any()


def test_a_frozen_camera_repeats_the_picture_before_byte_for_byte(camera_that):
    camera = camera_that(frozen={"at_exposures": [2], "for_exposures": 4})
    pictures = [shoot(camera).pixels.tobytes() for _ in range(8)]
    assert pictures[2:6] == [pictures[1]] * 4
    assert len({pictures[0], pictures[1], pictures[6], pictures[7]}) == 4


def test_a_camera_that_disappears_is_lost_then_not_found_then_back(camera_that):
    camera = camera_that(gone={"at_exposures": [2], "gone_s": 0.6})
    epoch = shoot(camera).epoch
    shoot(camera)
    with pytest.raises(CameraLost, match="does not answer"):
        camera.trigger()
    with pytest.raises(CameraLost):
        camera.read(1)
    camera.close()
    with pytest.raises(CameraNotFound, match="comes back in"):
        camera.open()
    deadline = time.monotonic() + 5
    while True:
        try:
            camera.open()
            break
        except CameraNotFound:
            assert time.monotonic() < deadline
            with pytest.raises(CameraLost):
                camera.read(0.05)
    camera.start()
    frame = shoot(camera)
    assert (frame.sequence, frame.epoch) == (0, epoch + 1)


def test_a_timed_camera_disappears_under_a_reader_that_waits():
    gone = {"gone": {"at_exposures": [2], "gone_s": 0.0}}
    camera = open_camera({**SMALL, "trigger": "timed", "takt_s": 0.02, "misbehave": gone})
    camera.start()
    assert [camera.read(5).sequence for _ in range(2)] == [0, 1]
    with pytest.raises(CameraLost):
        camera.read(5)
    camera.close()


def test_a_rate_hits_about_that_share_of_the_exposures(camera_that):
    camera = camera_that(lost={"rate": 0.25})
    nothing = story(camera, 400).count("nothing")
    assert 70 <= nothing <= 130


def test_parts_go_on_where_they_stopped_when_the_camera_is_opened_again(camera_that):
    straight = [shoot(camera).pixels.tobytes() for camera in [camera_that()] for _ in range(6)]
    camera = camera_that()
    broken = [shoot(camera).pixels.tobytes() for _ in range(3)]
    camera.close()
    camera.open()
    camera.start()
    broken += [shoot(camera).pixels.tobytes() for _ in range(3)]
    assert broken == straight


def test_the_truth_travels_with_the_frame(camera_that):
    frame = shoot(camera_that())
    assert {"kind", "label", "position", "angle_deg", "severity"} <= set(frame.truth)
    assert frame.source == "SIM000007"
    assert frame.is_simulated
