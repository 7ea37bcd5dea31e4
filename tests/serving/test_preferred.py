"""A preferred version: what a borrow without a version gets, while it is there."""

import threading
import time
from types import SimpleNamespace

import pytest
from serving.doubles import Bench, HandManager

from appliance.dataplane.local import LocalBackend
from appliance.serving import Manager, ServableId, availability_preserving


@pytest.fixture
def both(hand):
    hand.aspire("surface", [1, 2])
    hand.settle()
    assert hand.latest("surface") == 2
    return hand


def test_the_preferred_version_answers_though_a_higher_one_is_loaded(both: HandManager):
    both.manager.prefer("surface", 1)
    assert both.latest("surface") == 1
    with both.manager.borrow("surface", 2) as exact:
        assert exact.id.version == 2
    both.manager.prefer("surface", 2)
    assert both.latest("surface") == 2


def test_without_a_preference_it_is_the_highest_again(both):
    both.manager.prefer("surface", 1)
    both.manager.prefer("surface", None)
    assert both.latest("surface") == 2
    both.manager.prefer("surface", None)  # again: nothing happens
    assert both.latest("surface") == 2


def test_a_preferred_version_that_is_not_there_is_waited_for_and_the_highest_answers_meanwhile(both):
    both.manager.prefer("surface", 3)
    assert both.latest("surface") == 2
    both.manager.prefer("surface", 1)
    both.aspire("surface", [2])
    both.settle()
    assert both.latest("surface") == 2, "the preferred one has gone"
    both.aspire("surface", [1, 2])
    both.settle()
    assert both.latest("surface") == 1, "and is back"


def test_names_do_not_disturb_each_other(both):
    both.serve("other", 5)
    both.manager.prefer("surface", 1)
    assert both.latest("other") == 5


def test_a_handle_under_way_keeps_its_version(both):
    with both.manager.borrow("surface") as handle:
        both.manager.prefer("surface", 1)
        assert handle.id == ServableId("surface", 2)
        assert handle.servable.is_loaded
        assert both.latest("surface") == 1


def plain_model():
    return SimpleNamespace(signatures={}, signature_defs={}, metadata={}, engine="none", digest="sha256:0")


def test_requests_from_the_network_without_a_version_get_the_preferred_one():
    hand = HandManager()

    for version in (1, 2):
        loader = hand.bench.loader()
        load = loader.load
        loader.load = lambda servable_id, load=load: load(servable_id) and plain_model()
        hand.manager.aspire("surface", {**hand.manager._wishes.get("surface", {}), version: loader})
        hand.settle()
    backend = LocalBackend(hand.manager, lambda _name: {})
    with backend.borrow("surface", None) as borrowed:
        assert borrowed.id.version == 2
    hand.manager.prefer("surface", 1)
    with backend.borrow("surface", None) as borrowed:
        assert borrowed.id.version == 1


def test_moving_the_pointer_takes_far_below_a_millisecond_and_nobody_misses_a_version():
    """The goal is 1 ms; a busy machine may take longer now and then, so it is the median that counts."""
    bench = Bench()
    manager = Manager(availability_preserving)
    stop = threading.Event()
    thread = threading.Thread(target=manager.run, args=(stop,))
    thread.start()
    missed = []

    def borrow():
        while not stop.is_set():
            try:
                with manager.borrow("surface") as handle:
                    assert handle.servable.is_loaded
            except Exception as error:  # noqa: PERF203 - whatever it is
                missed.append(error)

    try:
        manager.aspire("surface", {1: bench.loader(), 2: bench.loader()})
        manager.monitor.wait_until_available([ServableId("surface", 1), ServableId("surface", 2)], 10)
        borrower = threading.Thread(target=borrow)
        borrower.start()
        took_s = []
        for turn in range(400):
            begun = time.perf_counter()
            manager.prefer("surface", 1 + turn % 2)
            took_s.append(time.perf_counter() - begun)
            with manager.borrow("surface") as handle:
                assert handle.id.version == 1 + turn % 2, "the very next borrow sees it"
    finally:
        stop.set()
        thread.join(10)
        manager.stop(10)
    borrower.join(10)
    assert missed == []
    assert sorted(took_s)[200] < 0.001
