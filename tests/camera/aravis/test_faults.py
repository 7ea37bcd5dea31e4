"""What happens to a GigE camera on a line: pulled out, hung, idle; and to the one beside it."""

import threading
import time

import pytest
from aravis_parts import QUICK, back, read_on, started
from gige_simulator import gige_cameras

from camera import CameraLost, CameraNotFound, CameraTimeout, make_camera
from camera.supervised import SupervisedCamera

MODES = [
    {"trigger": "free", "settings": QUICK},
    pytest.param({"trigger": "software"}, marks=pytest.mark.slow),
    pytest.param({"trigger": "hardware", "trigger_source": "Line0"}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode["trigger"])
def test_a_camera_that_was_pulled_out_is_lost_within_seconds_and_is_back_when_it_is_back(supervise, simulator, mode):
    camera = started(supervise(**mode))
    if mode["trigger"] == "software":
        camera.trigger()
    if mode["trigger"] != "hardware":
        camera.read(5)
    simulator.kill()
    began = time.monotonic()
    with pytest.raises(CameraLost, match=r"gone|did not answer|hangs in trigger"):
        read_on(camera, mode["trigger"])
    assert time.monotonic() - began < 6, "libaravis itself says so after 7.5 s"
    camera.close()
    with pytest.raises(CameraNotFound, match="no GigE Vision camera answers"):
        camera.open()
    simulator.start()
    took_s = back(camera)
    if mode["trigger"] == "software":
        camera.trigger()
    if mode["trigger"] != "hardware":
        assert camera.read(5).sequence == 0
    assert took_s < 6, "milliseconds, on a machine with nothing else to do"


def test_a_camera_that_hangs_is_lost_and_holds_nobody_up(make, simulator):
    camera = started(make(trigger="free", frames="every", settings=QUICK))
    camera.read(5)
    simulator.pause()
    try:
        with pytest.raises(CameraLost, match="has not answered"):
            read_on(camera, "free")
        began = time.monotonic()
        camera.close()
        assert time.monotonic() - began < 2, "libaravis would wait five seconds for its answers"
    finally:
        simulator.resume()


def test_an_idle_line_is_no_fault(make):
    camera = started(make(trigger="hardware", trigger_source="Line0"))
    for _ in range(6):
        with pytest.raises(CameraTimeout):
            camera.read(0.25)


def test_a_camera_that_answers_and_sends_nothing_is_lost_where_it_should_run_by_itself(make):
    camera = started(make(trigger="free", frames="every", frame_rate_hz=100, settings=QUICK))
    camera.read(5)
    camera._device.features.execute("AcquisitionStop")
    with pytest.raises(CameraLost, match="answers, and has sent no picture"):
        read_on(camera, "free")


def test_a_camera_that_was_started_anew_is_lost_and_not_read_on(make, simulator):
    camera = started(make(trigger="hardware", trigger_source="Line0"))
    simulator.kill()
    simulator.start()
    with pytest.raises(CameraLost, match="started anew"):
        read_on(camera, "hardware")


def test_a_camera_that_was_pulled_out_disturbs_no_other():
    with gige_cameras(2) as (pulled, other):
        given = {"driver": "aravis", "trigger": "free", "frames": "every", "settings": QUICK, "buffers_frames": 1000}
        cameras = [SupervisedCamera({**given, "device": one.address}) for one in (pulled, other)]
        try:
            for camera in cameras:
                started(camera).read(5)
            pulled.kill()
            sequences = [cameras[1].read(5).sequence]
            with pytest.raises(CameraLost):
                read_on(cameras[0])
            cameras[0].close()
            sequences += [cameras[1].read(5).sequence for _ in range(20)]  # what came meanwhile waits in its buffers
            assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
        finally:
            for camera in cameras:
                camera.end()


def test_the_newest_picture_is_never_older_than_a_moment_however_slow_the_reader(simulator):
    camera = make_camera({"driver": "aravis", "device": simulator.address, "trigger": "free", "settings": QUICK})
    started(camera)
    try:
        for _ in range(5):
            frame = camera.read(5)
            assert frame.received_ns - frame.exposed_ns < 200_000_000
            threading.Event().wait(0.2)
        assert frame.skipped_before > 10
    finally:
        camera.close()


def test_a_camera_that_was_pulled_out_of_an_idle_line_is_known_before_the_next_part(supervise, simulator):
    camera = started(supervise())
    camera.trigger()
    camera.read(5)
    simulator.kill()
    limit = time.monotonic() + 10
    with pytest.raises(CameraLost, match="gone: it has not answered"):
        count_on(camera, limit)


def count_on(camera, limit):
    """As the line does once a second while no part comes."""
    while time.monotonic() < limit:
        camera.counters()
        threading.Event().wait(0.3)


def test_a_picture_that_no_trigger_asked_for_is_no_parts_picture(make):
    """The simulator remembers a trigger over stop and start, and answers it then."""
    camera = started(make())
    for _ in range(10):
        camera.trigger()
        camera.stop()
        camera.start()
        with pytest.raises(CameraTimeout):
            camera.read(0.2)
        if camera.counters()["unasked"]:
            break
    assert camera.counters()["unasked"] >= 1
    camera.trigger()
    assert camera.read(5).trigger_sequence == 0
