import threading

import pytest
from running import until
from serving.doubles import Bench, HandManager, broken, own_threads

from appliance.serving import Manager, ManagerState, NotAvailable, availability_preserving, load_initially

LIMIT_S = 10


@pytest.fixture
def manager():
    made, stop = Manager(availability_preserving, max_load_retries=0), threading.Event()
    thread = threading.Thread(target=made.run, args=(stop,), kwargs={"tick_s": 0.001})
    thread.start()
    yield made
    stop.set()
    thread.join(LIMIT_S)
    assert made.stop(LIMIT_S) == []


def load_threads():
    return len(own_threads("load-"))


def test_at_first_models_load_at_the_same_time_and_later_one_by_one(manager):
    bench, together = Bench(), threading.Barrier(3)
    names = ["a", "b", "c"]
    for name in names:
        manager.aspire(name, {1: bench.loader(during_load=lambda: together.wait(LIMIT_S))})
    load_initially(manager, names, threads=3, timeout_s=LIMIT_S)
    until(lambda: load_threads() == 1, "one thread to be left", LIMIT_S)
    assert len(bench.loaded) == 3
    manager.aspire("d", {1: bench.loader()})
    manager.monitor.wait_until_available(["d"], LIMIT_S)


def test_a_model_that_failed_is_not_waited_for_and_the_others_are(manager):
    bench, go_on = Bench(), threading.Event()
    manager.monitor.subscribe(lambda state: state.manager_state is ManagerState.END and go_on.set())
    manager.aspire("bad", {1: bench.loader(outcomes=[broken("no such op")])})
    manager.aspire("good", {1: bench.loader(during_load=lambda: go_on.wait(LIMIT_S))})
    with pytest.raises(NotAvailable, match=r"^1 servable.*bad version: 1.*no such op"):
        load_initially(manager, ["bad", "good"], threads=2, timeout_s=LIMIT_S)
    with manager.borrow("good"):
        pass
    until(lambda: load_threads() == 1, "one thread to be left", LIMIT_S)


def test_the_wait_for_the_first_models_is_bounded_and_the_threads_are_taken_back_all_the_same(manager):
    with pytest.raises(NotAvailable, match=r"never: no version of it was aspired within 0.01 s"):
        load_initially(manager, ["never"], threads=4, timeout_s=0.01)
    until(lambda: load_threads() == 1, "one thread to be left", LIMIT_S)


def test_an_executor_that_cannot_change_its_threads_says_so():
    with pytest.raises(TypeError, match="cannot change its number of threads"):
        load_initially(HandManager().manager, [], threads=2, timeout_s=0)
