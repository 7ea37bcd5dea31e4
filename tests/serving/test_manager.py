import threading

import pytest
from serving.doubles import Bench, CancellableLoader, HandManager, broken, own_threads

from appliance.serving import (
    HarnessState,
    Load,
    LoadCancelled,
    LoadError,
    LoadRefused,
    Manager,
    ManagerState,
    NotServing,
    ServableId,
    ServableStateMonitor,
    Unload,
    UnloadError,
    availability_preserving,
    resource_preserving,
)

LIMIT_S = 10
LIFE = ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]


def surface(version):
    return ServableId("surface", version)


# --- a version's life ---------------------------------------------------------------------------------------------


def test_a_version_lives_through_its_public_states_in_order(hand):
    hand.serve("surface", 1)
    hand.aspire("surface", {})
    hand.settle()
    assert hand.history("surface", 1) == LIFE
    assert hand.state("surface", 1).error is None


def test_nothing_is_served_before_it_was_wished_for(hand):
    assert hand.manager.step() is None
    with pytest.raises(NotServing), hand.manager.borrow("surface"):
        pass


def test_a_new_version_is_loaded_beside_the_old_one_and_the_old_one_goes_afterwards(hand):
    hand.serve("surface", 1)
    hand.aspire("surface", [2])
    assert hand.manager.step() == Load(surface(2))
    assert hand.manager.step() is None, "the old one stays while the new one loads"
    assert hand.latest("surface") == 1
    hand.run("load")
    assert hand.latest("surface") == 2
    assert hand.manager.step() == Unload(surface(1))
    hand.run("unload")
    assert hand.manager_state("surface", 1) is ManagerState.END
    assert len(hand.bench.loaded) == 1


def test_available_is_said_only_when_everyone_who_asks_for_the_latest_gets_it(hand):
    seen = []

    def look(state):
        if state.manager_state is ManagerState.AVAILABLE:
            seen.append((state.id.version, hand.latest("surface")))

    hand.manager.monitor.subscribe(look)
    for version in (1, 2, 0):
        hand.aspire("surface", [version])
        hand.settle()
    assert seen == [(1, 1), (2, 2), (0, 0)]


def test_nobody_can_know_that_a_version_is_available_before_it_is_served():
    class Looking(ServableStateMonitor):
        def record(self, state):
            if state.manager_state is ManagerState.AVAILABLE:
                assert hand.latest("surface") == state.id.version
            super().record(state)

    hand = HandManager(monitor=Looking())
    hand.serve("surface", 1)


def test_a_version_can_be_asked_for_as_long_as_it_is_ready(hand):
    hand.aspire("surface", [3, 5])
    hand.settle()
    with hand.manager.borrow("surface", 3) as old, hand.manager.borrow("surface") as latest:
        assert (old.id.version, latest.id.version) == (3, 5)
        assert (old.servable.id.version, latest.servable.id.version) == (3, 5)
    with pytest.raises(NotServing), hand.manager.borrow("surface", 4):
        pass


def test_one_action_is_begun_per_step_and_unloads_go_first(hand):
    hand.serve("a", 1)
    hand.serve("b", 1)
    hand.aspire("c", [1])
    hand.aspire("a", {})
    hand.aspire("b", {})
    actions = [hand.manager.step() for _ in range(4)]
    assert actions == [
        Unload(ServableId("a", 1)),
        Unload(ServableId("b", 1)),
        Load(ServableId("c", 1)),
        None,
    ]


def test_where_memory_is_scarce_the_old_version_is_gone_before_the_new_one_loads():
    hand = HandManager(resource_preserving)
    hand.serve("surface", 1)
    hand.aspire("surface", [2])
    hand.settle()
    what = [(done, servable.version) for done, servable in hand.bench.log if done != "attempt"]
    assert what == [("load", 1), ("unload", 1), ("load", 2)]


def test_the_same_wish_again_changes_nothing(hand):
    loader = hand.serve("surface", 1)
    hand.manager.aspire("surface", {1: loader})
    assert hand.manager.step() is None
    assert hand.bench.loads == 1


def test_a_loaded_version_keeps_its_loader_whatever_the_wish_says_of_its_content(hand):
    first = hand.serve("surface", 1)
    hand.aspire("surface", [1])
    hand.settle()
    assert list(hand.bench.loaded) == [first]
    assert hand.bench.loads == 1


# --- borrowing ----------------------------------------------------------------------------------------------------


def test_a_borrowed_version_is_not_unloaded_until_it_is_given_back(hand):
    hand.serve("surface", 1)
    with hand.manager.borrow("surface") as handle:
        hand.aspire("surface", {})
        hand.settle()
        assert hand.manager_state("surface", 1) is ManagerState.UNLOADING
        assert handle.servable.is_loaded
        with pytest.raises(NotServing), hand.manager.borrow("surface"):
            pass
        assert handle.servable.is_loaded
    assert hand.bench.unloads == 0, "not on the borrower's thread"
    hand.settle()
    assert hand.bench.unloads == 1
    assert hand.manager_state("surface", 1) is ManagerState.END


def test_a_borrower_of_the_old_version_keeps_it_while_others_get_the_new_one(hand):
    hand.serve("surface", 1)
    with hand.manager.borrow("surface") as old:
        hand.aspire("surface", [2])
        hand.settle()
        assert hand.latest("surface") == 2
        assert (old.id.version, old.servable.is_loaded) == (1, True)


def test_a_late_borrower_who_turns_away_causes_no_second_unload(hand):
    hand.serve("surface", 1)
    lease = hand.manager._basic.harnesses()[0].lease
    hand.aspire("surface", {})
    hand.manager.step()
    assert not lease.take(hand.manager.borrow("surface"))
    assert hand.tasks("unload") == 2
    hand.settle()
    assert hand.bench.unloads == 1


# --- wishes that change their mind --------------------------------------------------------------------------------


def test_a_version_on_its_way_out_is_loaded_again_only_when_it_has_gone(hand):
    hand.serve("surface", 7)
    with hand.manager.borrow("surface"):
        hand.aspire("surface", {})
        hand.settle()
        hand.aspire("surface", [7])
        hand.settle()
        assert hand.bench.loads == 1
    hand.settle()
    assert [what for what, _ in hand.bench.log] == ["attempt", "load", "unload", "attempt", "load"]
    assert hand.latest("surface") == 7


def test_the_rest_of_a_wish_does_not_wait_for_a_version_on_its_way_out(hand):
    hand.serve("surface", 7)
    with hand.manager.borrow("surface"):
        hand.aspire("surface", {})
        hand.settle()
        hand.aspire("surface", [7, 8])
        hand.settle()
        assert hand.latest("surface") == 8


def test_while_a_wanted_version_has_to_leave_and_come_back_another_goes_on_serving(hand):
    hand.aspire("surface", [2, 3])
    hand.settle()
    with hand.manager.borrow("surface", 2):
        hand.aspire("surface", {})
        assert hand.manager.step() == Unload(surface(2))
        hand.aspire("surface", [2])
        hand.settle()
        assert hand.latest("surface") == 3, "not wanted any more, but there is nothing else yet"
    hand.settle()
    assert hand.latest("surface") == 2
    assert hand.manager_state("surface", 3) is ManagerState.END


def test_a_version_that_was_withdrawn_before_it_began_is_never_loaded(hand):
    never = hand.bench.loader()
    hand.aspire("other", [1])
    hand.manager.aspire("surface", {7: never})
    hand.manager.step()
    assert hand.harness_state("surface", 7) is HarnessState.NEW
    hand.aspire("surface", {})
    hand.manager.step()
    hand.aspire("surface", [7])
    hand.settle()
    assert never.attempts == 0
    assert hand.latest("surface") == 7


def test_a_load_that_was_withdrawn_while_it_waited_for_a_thread_is_not_begun(hand):
    loaders = hand.aspire("surface", [7])
    hand.manager.step()
    hand.aspire("surface", {})
    hand.settle()
    assert loaders[7].attempts == 0
    assert isinstance(hand.state("surface", 7).error, LoadCancelled)


def test_a_load_that_was_withdrawn_meanwhile_is_unloaded_at_once_and_was_never_available(hand):
    def withdraw():
        hand.aspire("surface", {})
        hand.manager.step()

    hand.manager.aspire("surface", {7: hand.bench.loader(during_load=withdraw)})
    hand.settle()
    assert (hand.bench.loads, hand.bench.unloads) == (1, 1)
    assert hand.history("surface", 7) == ["START", "LOADING", "UNLOADING", "END"]
    assert isinstance(hand.state("surface", 7).error, LoadCancelled)


def test_a_load_that_was_withdrawn_and_wished_again_meanwhile_serves(hand):
    loader = hand.bench.loader()

    def hesitate():
        hand.aspire("surface", {})
        hand.manager.step()
        hand.manager.aspire("surface", {7: loader})
        hand.manager.step()

    loader.during_load = hesitate
    hand.manager.aspire("surface", {7: loader})
    hand.settle()
    assert hand.latest("surface") == 7
    assert (hand.bench.loads, hand.bench.unloads) == (1, 0)


@pytest.mark.parametrize("notices", [True, False])
def test_a_withdrawn_load_that_can_give_up_is_told_to_once_and_is_loaded_anew_when_it_comes_back(hand, notices):
    def hesitate():
        for versions in ({}, {}, [7]):
            hand.aspire("surface", versions)
            hand.manager.step()

    first = CancellableLoader(hand.bench, during_load=hesitate, notices=notices)
    hand.manager.aspire("surface", {7: first})
    hand.settle()
    assert (first.cancels, first.attempts) == (1, 1)
    assert hand.latest("surface") == 7
    assert first not in hand.bench.loaded
    assert hand.history("surface", 7)[-3:] == ["START", "LOADING", "AVAILABLE"]


def test_a_load_that_failed_to_give_up_is_unloaded_when_it_has_loaded(hand):
    class Stubborn(CancellableLoader):
        def cancel(self):
            raise OSError("no such process")

    def withdraw():
        hand.aspire("surface", {})
        hand.manager.step()

    hand.manager.aspire("surface", {7: Stubborn(hand.bench, during_load=withdraw)})
    hand.settle()
    assert (hand.bench.loads, hand.bench.unloads) == (1, 1)


def test_a_version_that_was_withdrawn_while_it_was_estimated_is_not_loaded(hand):
    class Estimating(type(hand.bench.loader())):
        def estimate_resources(self):
            hand.aspire("surface", {})
            hand.manager.step()
            return super().estimate_resources()

    loader = Estimating(hand.bench)
    hand.manager.aspire("surface", {7: loader})
    hand.settle()
    assert loader.attempts == 0
    assert hand.manager_state("surface", 7) is ManagerState.END


def test_a_version_wished_again_while_its_withdrawn_load_is_unloaded_comes_back_afterwards(hand):
    def withdraw():
        hand.aspire("surface", {})
        hand.manager.step()

    def wish_again():
        hand.aspire("surface", [7])
        hand.manager.step()

    hand.manager.aspire("surface", {7: hand.bench.loader(during_load=withdraw, during_unload=wish_again)})
    hand.settle()
    assert hand.latest("surface") == 7
    assert (hand.bench.loads, hand.bench.unloads) == (2, 1)


def test_going_back_to_a_version_that_has_gone_loads_it_before_the_newer_one_goes(hand):
    hand.serve("surface", 1)
    hand.aspire("surface", [0])
    hand.settle()
    assert hand.latest("surface") == 0
    assert [what for what, _ in hand.bench.log if what != "attempt"] == ["load", "load", "unload"]


def test_going_back_to_a_version_that_is_still_loaded_takes_one_step_and_no_load(hand):
    hand.aspire("surface", loaders := {1: hand.bench.loader(), 2: hand.bench.loader()})
    hand.settle()
    assert hand.latest("surface") == 2
    hand.manager.aspire("surface", {1: loaders[1]})
    hand.manager.step()
    assert hand.latest("surface") == 1


def test_a_rollback_takes_effect_even_where_the_policy_is_slow_to_unload():
    def never_unload(versions):
        action = availability_preserving(versions)
        return action if isinstance(action, Load) else None

    hand = HandManager(never_unload)
    loaders = hand.aspire("surface", {1: hand.bench.loader(), 2: hand.bench.loader()})
    hand.settle()
    hand.aspire("surface", {1: loaders[1]})
    hand.manager.step()
    assert hand.latest("surface") == 1
    hand.aspire("surface", loaders)
    hand.manager.step()
    assert hand.latest("surface") == 2


# --- failures -----------------------------------------------------------------------------------------------------


def test_a_failed_attempt_is_followed_by_another_after_the_interval(hand):
    hand.manager.aspire("surface", {1: hand.bench.loader(outcomes=[broken()])})
    hand.settle()
    assert hand.manager_state("surface", 1) is ManagerState.LOADING
    hand.now_s = 4.9
    hand.settle()
    assert hand.bench.loads == 0
    hand.now_s = 5.0
    hand.settle()
    assert hand.latest("surface") == 1
    assert hand.state("surface", 1).error is None
    assert hand.state("surface", 1).attempts == 2


def test_a_version_whose_attempts_are_used_up_ends_with_the_last_error_and_the_old_one_serves():
    hand = HandManager(max_load_retries=1, load_retry_interval_s=0)
    hand.serve("surface", 1)
    loader = hand.bench.loader(outcomes=[broken("first"), broken("last")])
    hand.manager.aspire("surface", {2: loader})
    hand.settle()
    hand.settle()
    assert loader.attempts == 2
    assert hand.manager_state("surface", 2) is ManagerState.END
    assert str(hand.state("surface", 2).error) == "last"
    assert hand.latest("surface") == 1


def test_content_that_was_refused_is_not_tried_twice(hand):
    loader = hand.bench.loader(outcomes=[LoadRefused("the golden samples do not pass")])
    hand.manager.aspire("surface", {1: loader})
    hand.settle()
    assert hand.manager_state("surface", 1) is ManagerState.END
    assert loader.attempts == 1


def test_an_estimate_that_fails_is_an_attempt_too():
    hand = HandManager(max_load_retries=1, load_retry_interval_s=0)
    hand.manager.aspire("a", {1: hand.bench.loader(estimates=[broken()])})
    hand.manager.aspire("b", {1: hand.bench.loader(estimates=[broken(), broken("still")])})
    for _ in range(3):
        hand.settle()
    assert hand.latest("a") == 1
    assert str(hand.state("b", 1).error) == "still"


def test_an_error_in_a_loaders_place_ends_that_version_and_harms_no_other(hand):
    hand.serve("surface", 1)
    hand.manager.aspire("surface", {2: LoadError("the manifest cannot be read")})
    hand.settle()
    assert hand.latest("surface") == 1
    assert hand.history("surface", 2) == ["START", "END"]
    assert str(hand.state("surface", 2).error) == "the manifest cannot be read"


def test_a_failed_version_is_not_tried_again_while_its_content_is_the_same(hand):
    loader = hand.bench.loader(outcomes=[LoadRefused("half copied")])
    for _ in range(3):
        hand.manager.aspire("surface", {1: loader})
        hand.settle()
    assert loader.attempts == 1


def test_a_failed_version_is_tried_again_when_its_content_has_changed(hand):
    hand.manager.aspire("surface", {1: hand.bench.loader(outcomes=[LoadRefused("half copied")])})
    hand.settle()
    hand.aspire("surface", [1])
    hand.settle()
    assert hand.latest("surface") == 1
    assert hand.state("surface", 1).error is None


def test_content_that_changed_while_the_version_was_failing_is_tried_when_it_has_failed(hand):
    def replace():
        hand.aspire("surface", [1])
        hand.manager.step()

    hand.manager.aspire("surface", {1: hand.bench.loader(outcomes=[LoadRefused("half copied")], during_load=replace)})
    hand.settle()
    assert hand.latest("surface") == 1


def test_a_failed_version_that_was_withdrawn_and_wished_again_is_loaded(hand):
    hand.manager.aspire("surface", {7: hand.bench.loader(outcomes=[LoadRefused("bad")])})
    hand.settle()
    hand.aspire("surface", {})
    hand.settle()
    hand.aspire("surface", [7])
    hand.settle()
    assert hand.latest("surface") == 7


def test_an_error_replaces_nothing_that_is_managed(hand):
    hand.serve("surface", 1)
    hand.manager.aspire("surface", {1: LoadError("now unreadable")})
    hand.settle()
    assert hand.latest("surface") == 1
    hand.manager.aspire("other", {1: LoadError("first")})
    hand.settle()
    hand.manager.aspire("other", {1: LoadError("second")})
    hand.settle()
    assert str(hand.state("other", 1).error) == "first"


def test_a_version_given_as_an_error_loads_when_a_loader_takes_its_place(hand):
    hand.manager.aspire("surface", {1: LoadError("no manifest yet")})
    hand.settle()
    hand.aspire("surface", [1])
    hand.settle()
    assert hand.latest("surface") == 1


def test_a_foreign_exception_ends_one_version_in_our_words(hand):
    hand.serve("other", 1)
    hand.manager.aspire("surface", {1: hand.bench.loader(outcomes=[ValueError("op not registered")] * 9)})
    for now_s in range(0, 100, 5):
        hand.now_s = now_s
        hand.settle()
    assert hand.manager_state("surface", 1) is ManagerState.END
    assert "could not be loaded: ValueError: op not registered" in str(hand.state("surface", 1).error)
    assert hand.latest("other") == 1


def test_a_version_that_fails_to_unload_ends_with_that_error_and_serves_no_more(hand):
    def fail():
        raise OSError("the device does not answer")

    hand.serve("surface", 1, during_unload=fail)
    hand.aspire("surface", [2])
    hand.settle()
    assert isinstance(hand.state("surface", 1).error, UnloadError)
    assert hand.latest("surface") == 2


# --- what is told -------------------------------------------------------------------------------------------------


def test_states_tell_since_when_and_after_how_many_attempts(hand):
    hand.now_s = 1000.0
    hand.serve("surface", 1)
    hand.now_s = 2000.0
    state = hand.state("surface", 1)
    assert (state.since.timestamp(), state.since.utcoffset().total_seconds()) == (1000.0, 0.0)
    assert (state.manager_state, state.attempts) == (ManagerState.AVAILABLE, 1)


def test_hundreds_of_versions_leave_a_bounded_history(hand):
    for version in range(300):
        hand.aspire("surface", [version])
        hand.settle()
    assert len(hand.manager.states()) == 65
    assert hand.manager._basic.harnesses() != []
    assert len(hand.manager._basic.harnesses()) == 1


def test_a_name_that_is_wished_no_more_leaves_nothing_behind(hand):
    hand.serve("surface", 1)
    hand.aspire("surface", {})
    hand.settle()
    hand.manager.step()
    assert hand.manager._wishes == {}
    assert hand.manager._basic.harnesses() == []


# --- with real threads --------------------------------------------------------------------------------------------


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
