"""From a trigger to its picture, and what becomes of triggers without one and pictures without the other."""

import threading
import time
from collections import Counter

import pytest
from inspection.line_rig import GOOD, Model, Rig, WiredCamera, in_force
from running import until

OK = ("OK", None)
MISSING = ("Undefined", "FRAME_MISSING")
UNEXPECTED = ("Undefined", "FRAME_UNEXPECTED")
LOST = ("Undefined", "CAMERA_LOST")


def observed(camera, deadline_ms=500.0):
    return Rig(camera, in_force(Model(GOOD), deadline_ms=deadline_ms), observed=True, window_s=0.05)


def free(camera, **settings):
    return Rig(camera, in_force(Model(GOOD)), **settings)


class TestAWireExposesAndTheBoxSeesIt:
    def test_each_trigger_gets_its_picture(self):
        camera = WiredCamera()
        with observed(camera) as rig:
            for number in range(20):
                at_ns = time.monotonic_ns()
                rig.line.trigger(at_ns, part_id=f"part-{number}")
                camera.pulse(at_ns)
                until(lambda number=number: len(rig.results) > number, "the result", 5)
        assert rig.said() == [OK] * 20
        assert [one.part_id for one in rig.results] == [f"part-{number}" for number in range(20)]

    def test_a_picture_may_be_here_before_the_box_was_told_of_the_edge(self):
        camera = WiredCamera()
        with observed(camera) as rig:
            at_ns = time.monotonic_ns()
            camera.pulse(at_ns)
            rig.line.trigger(at_ns)
            until(lambda: rig.results, "the result", 5)
        assert rig.said() == [OK]

    def test_a_trigger_that_the_camera_ignored_is_told_before_its_deadline(self):
        camera = WiredCamera()
        with observed(camera) as rig:
            at_ns = time.monotonic_ns()
            rig.line.trigger(at_ns)
            camera.pulse(at_ns, ignored=True)
            until(lambda: rig.results, "the result", 5)
            assert rig.results[0].times.total_ms < 400
        assert rig.said() == [MISSING]

    def test_five_triggers_that_gave_one_picture_are_five_results_and_none_passes(self):
        camera = WiredCamera()
        with observed(camera) as rig:
            at_ns = time.monotonic_ns()
            for number in range(5):
                rig.line.trigger(at_ns + number)
            camera.pulse(at_ns + 5)
            until(lambda: len(rig.results) == 5, "five results", 5)
        assert rig.said() == [MISSING] * 5

    def test_with_the_cameras_own_count_the_right_one_of_the_five_is_judged(self):
        camera = WiredCamera(counts=True)
        with observed(camera) as rig:
            at_ns = time.monotonic_ns()
            for number in range(5):
                rig.line.trigger(at_ns + number)
                camera.pulse(at_ns + number, ignored=number != 2)
            until(lambda: len(rig.results) == 5, "five results", 5)
        assert rig.said() == [MISSING, MISSING, OK, MISSING, MISSING]

    def test_a_picture_that_waits_in_the_queue_is_looked_at_before_its_trigger_is_given_up(self):
        """The thread that reads was held up for longer than a trigger waits for its picture."""
        camera = WiredCamera(counts=True)
        read, held, triggered = camera.read, threading.Event(), threading.Event()

        def held_up(timeout_s):
            frame = read(timeout_s)
            if not held.is_set():
                held.set()
                triggered.wait(5)
                threading.Event().wait(0.2)  # four times the window
            return frame

        camera.read = held_up
        with observed(camera) as rig:
            for _ in range(3):
                at_ns = time.monotonic_ns()
                rig.line.trigger(at_ns)
                camera.pulse(at_ns)
                assert held.wait(5)
            triggered.set()
            until(lambda: len(rig.results) == 3, "three results", 5)
        assert rig.said() == [OK] * 3

    def test_a_picture_that_nobody_asked_for_is_a_result_of_its_own(self):
        camera = WiredCamera()
        with observed(camera) as rig:
            camera.pulse()
            until(lambda: rig.results, "the result", 5)
        assert rig.said() == [UNEXPECTED]

    def test_an_unplugged_camera_gives_every_trigger_its_result_and_comes_back_by_itself(self):
        camera = WiredCamera()
        with observed(camera) as rig:
            rig.line.trigger(time.monotonic_ns())
            camera.unplug()
            until(lambda: rig.results, "the result", 5)
            rig.line.trigger(time.monotonic_ns())
            until(lambda: len(rig.results) == 2, "the second", 5)
            assert rig.said() == [LOST, LOST]
            camera.plug()
            began_s = time.monotonic()
            until(lambda: rig.line.acquisition.state.state == "online", "the camera", 5)
            assert time.monotonic() - began_s < 2
            at_ns = time.monotonic_ns()
            rig.line.trigger(at_ns)
            camera.pulse(at_ns)
            until(lambda: len(rig.results) == 3, "the third", 5)
        assert rig.said()[-1] == OK


class TestTheCameraIsTriggeredItself:
    def test_an_idle_line_is_no_fault(self):
        camera = WiredCamera()
        with free(camera) as rig:
            assert not threading.Event().wait(1.5), "long enough for a read to time out"
            camera.pulse()
            until(lambda: rig.results, "the result", 5)
            assert rig.line.acquisition.state.state == "online"
        assert rig.said() == [OK]

    def test_a_camera_that_runs_by_itself_and_falls_silent_is_lost_and_opened_again(self):
        camera = WiredCamera()
        with free(camera, lost_after_s=1.0) as rig:
            until(lambda: rig.line.acquisition.state.state == "offline", "the silence to be noticed", 10)
            assert "by itself" in rig.line.acquisition.state.detail
            until(lambda: rig.line.acquisition.state.state == "online", "the camera to be opened again", 10)

    def test_a_picture_lost_on_the_way_is_a_part_that_fails(self):
        camera = WiredCamera()
        with free(camera) as rig:
            for lost in (False, True, True, False):
                camera.pulse(lost=lost)
            until(lambda: len(rig.results) == 4, "four results", 5)
        assert rig.said() == [OK, MISSING, MISSING, OK]

    def test_a_pulse_that_the_camera_ignored_is_found_by_its_count(self):
        """Its pictures' numbers have no gap: without the count that part would pass unseen."""
        camera = WiredCamera(counts=True)
        with free(camera) as rig:
            camera.pulse()
            camera.pulse(ignored=True)
            camera.pulse()
            camera.pulse(lost=True)
            camera.pulse(ignored=True)
            camera.pulse()
            until(lambda: len(rig.results) == 6, "six results", 5)
        assert rig.said() == [OK, MISSING, OK, MISSING, MISSING, OK]

    def test_a_picture_without_a_pulse_is_found_by_its_count(self):
        camera = WiredCamera(counts=True)
        with free(camera) as rig:
            camera.pulse()
            camera.pulse(noise=True)
            camera.pulse()
            until(lambda: len(rig.results) == 3, "three results", 5)
        assert rig.said() == [OK, UNEXPECTED, OK]

    def test_of_the_newest_picture_only_what_can_be_judged_is_a_part(self):
        """A station ten times too slow: no part is lost, none is late, none is about an old picture."""
        camera = WiredCamera()
        slow = threading.Event()
        used = in_force(Model(GOOD, before=lambda: slow.wait(0.05)))
        with Rig(camera, used, newest=True) as rig:
            rig.line.acquisition._camera = camera
            for _ in range(100):
                with camera._changed:
                    camera._frames.clear()  # as camera.newest does
                camera.pulse()
                threading.Event().wait(0.005)
            until(lambda: not camera._frames and rig.line.is_idle, "the last one", 5)
        assert set(rig.said()) == {OK}
        assert 5 <= len(rig.results) <= 30
        assert max(one.times.frame_age_ms for one in rig.results) < 400


class TestThisBoxExposes:
    def test_a_picture_between_two_triggers_that_nobody_asked_for_is_told(self):
        camera = WiredCamera(triggers_itself=False)
        with Rig(camera, in_force(Model(GOOD))) as rig:
            rig.line.trigger(time.monotonic_ns())
            until(lambda: len(rig.results) == 1, "the first", 5)
            camera.pulse(time.monotonic_ns() - 100_000_000)
            camera._frames[-1] = _asked(camera._frames[-1])
            rig.line.trigger(time.monotonic_ns())
            until(lambda: len(rig.results) == 3, "both", 5)
        assert Counter(rig.said()) == Counter([OK, OK, UNEXPECTED])

    def test_a_picture_that_the_driver_kept_because_nobody_asked_for_it_is_told(self):
        camera = WiredCamera(triggers_itself=False)
        with Rig(camera, in_force(Model(GOOD))) as rig:
            rig.line.trigger(time.monotonic_ns())
            until(lambda: len(rig.results) == 1, "the first", 5)
            camera.unasked = 2
            until(lambda: len(rig.results) == 3, "both", 5)
        assert rig.said() == [OK, UNEXPECTED, UNEXPECTED]

    def test_triggers_while_the_camera_is_busy_fail_at_once_and_in_order(self):
        camera = WiredCamera(triggers_itself=False)
        camera.trigger = lambda: None
        with Rig(camera, in_force(Model(GOOD), deadline_ms=300)) as rig:
            for _ in range(5):
                rig.line.trigger(time.monotonic_ns())
            camera.pulse()
            until(lambda: len(rig.results) == 5, "five results", 5)
        assert rig.said() == [OK] + [("Undefined", "TRIGGER_OVERLAPPED")] * 4
        assert [one.trigger_id for one in rig.results] == [0, 1, 2, 3, 4]


def _asked(frame):
    """As a driver that counts its triggers would give it."""
    from dataclasses import replace

    return replace(frame, trigger_sequence=0)


@pytest.mark.parametrize("way", ["observed", "free", "exposing"])
def test_unplugged_cables_leave_no_trigger_without_its_result(way):
    camera = WiredCamera(triggers_itself=way != "exposing")
    rig = observed(camera, 100.0) if way == "observed" else Rig(camera, in_force(Model(GOOD), deadline_ms=100.0))
    given = 0
    with rig:
        for _ in range(3):
            for _ in range(20):
                at_ns = time.monotonic_ns()
                if way != "free":
                    rig.line.trigger(at_ns)
                    given += 1
                if way != "exposing":
                    camera.pulse(at_ns)
                threading.Event().wait(0.002)
            camera.unplug()
            until(lambda: rig.line.acquisition.state.state == "offline", "the loss", 5)
            camera.plug()
            until(lambda: rig.line.acquisition.state.state == "online", "the camera", 5)
        until(lambda: rig.line.is_idle, "the last result", 5)
    if way != "free":  # a picture that was stalled for longer than its trigger waits for it is told beside it
        assert len(rig.results) == given + rig.said().count(UNEXPECTED)
    assert [one.trigger_id for one in rig.results] == list(range(len(rig.results)))
    assert all(one.deadline_met for one in rig.results)
