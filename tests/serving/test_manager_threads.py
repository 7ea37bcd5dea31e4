"""The manager on real threads, and how it stops."""

import threading

import pytest
from serving.doubles import Bench, CancellableLoader, own_threads

from appliance.serving import (
    Manager,
    ManagerState,
    availability_preserving,
)

LIMIT_S = 10


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def running():
    """A manager that runs on a thread of its own."""
    manager, stop = Manager(availability_preserving, load_retry_interval_s=3600), threading.Event()
    thread = threading.Thread(target=manager.run, args=(stop,), kwargs={"tick_s": 0.001})
    thread.start()
    yield manager
    stop.set()
    thread.join(LIMIT_S)
    assert manager.stop(LIMIT_S) == []


def test_loading_and_unloading_happen_on_threads_of_their_own(running, bench):
    threads = {}

    def note(what):
        return lambda: threads.setdefault(what, threading.current_thread().name)

    ended = threading.Event()
    running.monitor.subscribe(lambda state: state.manager_state is ManagerState.END and ended.set())
    running.aspire("surface", {1: bench.loader(during_load=note("load"), during_unload=note("unload"))})
    running.monitor.wait_until_available(["surface"], LIMIT_S)
    running.aspire("surface", {})
    assert ended.wait(LIMIT_S)
    assert threads == {"load": "load-0", "unload": "unload-0"}


def test_stopping_unloads_everything_and_leaves_no_thread(bench):
    manager = Manager(availability_preserving)
    for name in "abc":
        manager.aspire(name, {version: bench.loader() for version in (1, 2)})
    while manager.step() is not None:
        pass
    manager.monitor.wait_until_available("abc", LIMIT_S)
    assert manager.stop(LIMIT_S) == []
    assert bench.loaded == {}
    assert bench.loads == bench.unloads
    assert own_threads("load-", "unload-") == []


def test_stopping_waits_for_borrowers_and_for_loads_under_way(bench):
    manager = Manager(availability_preserving)
    loading, go_on = threading.Event(), threading.Event()
    manager.aspire("a", {1: bench.loader()})
    manager.step()
    manager.monitor.wait_until_available(["a"], LIMIT_S)
    manager.aspire("b", {1: bench.loader(during_load=lambda: (loading.set(), go_on.wait(LIMIT_S)))})
    manager.step()
    assert loading.wait(LIMIT_S)
    left = []
    with manager.borrow("a") as handle:
        stopping = threading.Thread(target=lambda: left.extend(manager.stop(LIMIT_S)))
        seen = threading.Event()
        manager.monitor.subscribe(lambda state: state.manager_state is ManagerState.UNLOADING and seen.set())
        stopping.start()
        assert seen.wait(LIMIT_S)
        assert handle.servable.is_loaded
    go_on.set()
    stopping.join(LIMIT_S)
    assert left == []
    assert bench.loaded == {}


def test_stopping_makes_a_load_under_way_give_up(bench):
    manager = Manager(availability_preserving)
    loading, cancelled = threading.Event(), threading.Event()

    class Preparing(CancellableLoader):
        def cancel(self):
            super().cancel()
            cancelled.set()

    loader = Preparing(bench, during_load=lambda: (loading.set(), cancelled.wait(LIMIT_S)))
    manager.aspire("surface", {1: loader})
    manager.step()
    assert loading.wait(LIMIT_S)
    assert manager.stop(LIMIT_S) == []
    assert bench.loads == 0


def test_after_stopping_wishes_are_ignored(hand):
    hand.serve("surface", 1)
    hand.manager.aspire("surface", {})
    hand.settle()
    assert hand.manager.stop(LIMIT_S) == []
    hand.aspire("surface", [2])
    assert hand.manager.step() is None


def test_stopping_what_never_began_is_nothing():
    assert Manager(availability_preserving).stop(LIMIT_S) == []
