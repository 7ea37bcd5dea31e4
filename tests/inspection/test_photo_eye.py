"""A photo-eye's edges become triggers, each one. The pin is a double; test_gpio.py has the kernel's."""

import threading
import time
from contextlib import contextmanager

import pytest
from running import until

from appliance.inspection.gpio_chip import PinError
from appliance.inspection.gpio_pin import Edge, EyeSettings
from appliance.inspection.photo_eye import PhotoEye
from appliance.inspection.result import Reason


class DoublePin:
    """Keeps edges as the kernel does: at most `room`, of which the oldest go first, and the numbers tell."""

    name, label, debounced_by_kernel = "pin 4 of gpiochip0 (double)", "double", False

    def __init__(self, room=1024):
        self._room = room
        self._edges = []
        self._changed = threading.Condition()
        self._number = 0
        self.is_gone = self.is_closed = False

    def edge(self, at_ns=None, *, is_high=True):
        with self._changed:
            self._number += 1
            at_ns = time.monotonic_ns() if at_ns is None else at_ns
            self._edges = [*self._edges, Edge(at_ns, is_high, self._number)][-self._room :]
            self._changed.notify_all()
        return at_ns

    def unplug(self):
        with self._changed:
            self.is_gone = True
            self._changed.notify_all()

    def read(self, timeout_s):
        with self._changed:
            self._changed.wait_for(lambda: self._edges or self.is_gone, timeout_s)
            if self.is_gone:
                raise PinError("The test's chip is gone.")
            edges, self._edges = self._edges, []
            return edges

    def is_high(self):
        return False

    def close(self):
        self.is_closed = True


class Given:
    """What the line is told."""

    def __init__(self):
        self.parts = []
        self.held = threading.Event()
        self.held.set()

    def __call__(self, triggered_ns, /, *, due_ns=None, lost=None):
        self.parts.append((triggered_ns, due_ns, lost and lost[0], time.monotonic_ns()))
        assert self.held.wait(10)
        return len(self.parts)

    def reasons(self):
        return [reason for _, _, reason, _ in self.parts]


@contextmanager
def eye(pin, *, pins=None, late_s=5.0, **changes):
    settings = {"chip": "0", "line": 4, "edge": "rising", "bias": "as-is", "debounce_s": 0.0, "delay_s": 0.0}
    given, stop = Given(), threading.Event()
    opened = iter(pins or [pin])

    def open_pin(_settings, /, *, label):
        following = next(opened, None)
        if following is None:
            raise PinError("There is no GPIO chip '0'.")
        return following

    one = PhotoEye(EyeSettings(**(settings | changes), late_s=late_s), given, open_pin=open_pin)
    one.given = given
    thread = threading.Thread(target=one.run, args=(stop,))
    one.stop = stop
    thread.start()
    try:
        yield one
    finally:
        given.held.set()
        stop.set()
        thread.join(1.0)
        assert not thread.is_alive()
        assert pin.is_closed


def test_each_edge_is_a_trigger_at_its_own_moment():
    pin = DoublePin()
    with eye(pin) as one:
        moments = [pin.edge() for _ in range(20)]
        until(lambda: len(one.given.parts) == 20, "the triggers", 5)
    assert [part[0] for part in one.given.parts] == moments
    assert set(one.given.reasons()) == {None}


def test_several_parts_are_on_their_way_from_the_eye_to_the_camera():
    pin = DoublePin()
    with eye(pin, delay_s=0.3) as one:
        now_ns = time.monotonic_ns()
        moments = [pin.edge(now_ns + number * 10_000_000) for number in range(-5, 0)]
        until(lambda: len(one.given.parts) == 5, "the triggers", 5)
    for moment, (edge_ns, due_ns, lost, given_ns) in zip(moments, one.given.parts, strict=True):
        assert (edge_ns, due_ns, lost) == (moment, moment + 300_000_000, None)
        assert given_ns >= due_ns


def test_each_edge_that_the_kernel_could_not_keep_is_a_part_that_nobody_photographed():
    pin = DoublePin(room=4)
    with eye(pin) as one:
        one.given.held.clear()
        pin.edge()
        until(lambda: one.given.parts, "the first trigger", 5)
        for _ in range(10):
            pin.edge()
        one.given.held.set()
        until(lambda: len(one.given.parts) == 11, "all triggers", 5)
    assert one.given.reasons() == [None] + [Reason.TRIGGER_MISSED] * 6 + [None] * 4
    assert one.missed == 6


@pytest.mark.parametrize(("edges", "missed"), [(8, 2), (7, 2), (9, 3), (4, 0)])
def test_of_lost_edges_of_both_kinds_those_that_count_are_parts(edges, missed):
    pin = DoublePin(room=2)
    with eye(pin, debounce_s=0.001) as one:
        one.given.held.clear()
        start_ns = pin.edge(time.monotonic_ns() - 1_000_000_000)
        until(lambda: one.given.parts, "the first trigger", 5)
        for number in range(1, edges):  # falls, rises, falls, ...: the last two fit
            pin.edge(start_ns + number * 10_000_000, is_high=number % 2 == 0)
        one.given.held.set()
        until(lambda: len(one.given.parts) == (edges + 1) // 2, "all triggers", 5)
    assert one.given.reasons() == [None] + [Reason.TRIGGER_MISSED] * missed + [None]


def test_an_edge_that_is_noticed_too_late_exposes_nothing():
    """The box stood still for a second: what is in front of the camera now is another part."""
    pin = DoublePin()
    with eye(pin, late_s=0.5) as one:
        now_ns = time.monotonic_ns()
        pin.edge(now_ns - 1_000_000_000)
        pin.edge(now_ns)
        until(lambda: len(one.given.parts) == 2, "the triggers", 5)
    assert one.given.reasons() == [Reason.TRIGGER_MISSED, None]


def test_where_a_wire_exposes_no_edge_is_too_late():
    pin = DoublePin()
    with eye(pin, late_s=None) as one:
        pin.edge(time.monotonic_ns() - 1_000_000_000)
        until(lambda: one.given.parts, "the trigger", 5)
    assert one.given.reasons() == [None]


def test_bouncing_is_one_part_at_its_first_edge():
    pin = DoublePin()
    with eye(pin, debounce_s=0.05) as one:
        first = pin.edge()
        for number in range(1, 9):
            pin.edge(first + number * 1_000_000, is_high=number % 2 == 0)
        until(lambda: one.given.parts, "the trigger", 5)
        given_ns = one.given.parts[0][3]
    assert [part[0] for part in one.given.parts] == [first]
    assert given_ns >= first + 58_000_000  # not before it was sure


def test_what_the_kernel_debounced_happened_before_it_was_sure():
    pin = DoublePin()
    pin.debounced_by_kernel = True
    with eye(pin, debounce_s=0.002, debounce_by="kernel") as one:
        sure_ns = pin.edge()
        until(lambda: one.given.parts, "the trigger", 5)
    assert one.given.parts[0][0] == sure_ns - 2_000_000


def test_a_chip_that_is_unplugged_is_told_and_read_again_when_it_is_back():
    first, second = DoublePin(), DoublePin()
    with eye(first, pins=[first, second], delay_s=0.1) as one:
        first.edge()
        until(lambda: one.problem is None and one._number == 1, "the edge to be read", 5)
        first.unplug()
        until(lambda: one.problem, "the problem", 5)
        assert "The test's chip is gone." in one.problem
        until(lambda: len(one.given.parts) == 1, "the part that was on its way", 5)
        until(lambda: one.problem is None, "the pin to be read again", 5)
        second.edge()
        until(lambda: len(one.given.parts) == 2, "the part after it", 5)
    assert one.given.reasons() == [None, None]
    assert first.is_closed
    assert second.is_closed


def test_a_pin_that_cannot_be_opened_is_tried_again_and_a_stop_is_not_kept_waiting():
    pin = DoublePin()
    with eye(pin, pins=iter([])) as one:
        until(lambda: one.problem, "the problem", 5)
        assert one.problem.startswith("There is no GPIO chip '0'.")
        pin.close()


def test_parts_on_their_way_at_the_stop_are_told_as_not_judged():
    pin = DoublePin()
    with eye(pin, delay_s=60.0) as one:
        pin.edge()
        pin.edge()
        until(lambda: one._number == 2, "the edges to be read", 5)
        assert one.given.parts == []
    assert one.given.reasons() == [Reason.STOPPING, Reason.STOPPING]


def test_without_the_library_the_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gpiod", None)
    stop = threading.Event()
    settings = EyeSettings("0", 4, "rising", "as-is", 0.0, 0.0)
    one = PhotoEye(settings, Given(), changed=stop.set)
    one.run(stop)
    assert "pip install 'inspection-appliance[gpio]'" in one.problem


@pytest.mark.parametrize("wanted", ["/dev/gpiochip77", "no-such-chip"])
def test_a_chip_that_is_not_there_is_named(wanted):
    pytest.importorskip("gpiod")
    stop = threading.Event()
    one = PhotoEye(EyeSettings(wanted, 4, "rising", "as-is", 0.0, 0.0), Given(), changed=stop.set)
    one.run(stop)
    assert f"There is no GPIO chip '{wanted}'" in one.problem
