"""A thread that takes what a source gives; see camera.drain."""

import queue
import threading
import time

import pytest
from running import until

from camera import CameraLost, CameraTimeout
from camera.drain import Drain


class Source:
    """Gives what the test puts into it; None ends the waiting without an item."""

    def __init__(self):
        self.items = queue.SimpleQueue()
        self.taken = 0
        self.let_go = threading.Event()

    def give(self, *items):
        for item in items:
            self.items.put(item)

    def take(self):
        item = self.items.get()
        if isinstance(item, Exception):
            raise item
        self.taken += item is not None
        return item


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def drained(source):
    drains = []

    def start(room):
        drains.append(Drain(source.take, room=room, ended=source.let_go.set))
        drains[-1].start()
        return drains[-1]

    yield start
    for drain in drains:
        drain.end()
        source.give(None, None)
        assert drain.join(5)


def all_taken(source, number):
    until(lambda: source.taken == number, f"{number} items to be taken", 5)


def test_with_room_for_one_the_newest_is_given_and_the_others_are_counted(source, drained):
    drain = drained(room=1)
    source.give(1, 2, 3, None)
    all_taken(source, 3)
    until(lambda: drain.passed_over == 2, "the newest", 5)
    taken = drain.next(1)
    assert (taken.item, taken.passed_over) == (3, 2)
    source.give(4)
    taken = drain.next(1)
    assert (taken.item, taken.passed_over) == (4, 0)


def test_with_more_room_all_are_given_in_order_until_it_is_full(source, drained):
    drain = drained(room=3)
    source.give(1, 2, 3, 4, 5, None)
    until(lambda: drain.passed_over == 2, "two to be passed over", 5)
    taken = [drain.next(1) for _ in range(3)]
    assert [one.item for one in taken] == [3, 4, 5]
    assert [one.passed_over for one in taken] == [2, 0, 0]


def test_each_item_is_given_once(source, drained):
    drain = drained(room=1)
    source.give(1)
    assert drain.next(5).item == 1
    began = time.monotonic()
    with pytest.raises(CameraTimeout):
        drain.next(0.1)
    assert time.monotonic() - began >= 0.1


def test_what_the_source_raises_comes_after_what_it_gave_and_stays(source, drained):
    drain = drained(room=8)
    source.give(1, CameraLost("the cable"))
    assert source.let_go.wait(5), "the source is let go of where it failed"
    drain.check()
    assert drain.next(1).item == 1
    for _ in range(2):
        with pytest.raises(CameraLost, match="the cable"):
            drain.next(1)
        with pytest.raises(CameraLost, match="the cable"):
            drain.check()


def test_a_mistake_in_the_source_is_raised_where_somebody_reads(source, drained):
    drain = drained(room=1)
    source.give(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        drain.next(5)


def test_the_end_is_seen_at_once_by_who_waits_also_while_the_source_is_silent(source, drained):
    drain = drained(room=1)
    ending = threading.Timer(0.1, drain.end)
    ending.start()
    began = time.monotonic()
    with pytest.raises(CameraLost, match="closed"):
        drain.next(30)
    assert time.monotonic() - began < 5
    ending.join()
    assert not drain.join(0.05), "its thread still waits for the source..."
    assert not source.let_go.is_set()
    source.give(9)
    assert drain.join(5)
    assert source.let_go.is_set(), "...and lets go of it in the end"
    with pytest.raises(CameraLost):
        drain.next(0)


def test_dropped_items_are_never_given(source, drained):
    drain = drained(room=2)
    source.give(1, 2, 3)
    until(lambda: drain.passed_over == 1, "three to be taken", 5)
    drain.drop()
    source.give(4)
    taken = drain.next(5)
    assert (taken.item, taken.passed_over) == (4, 0)
