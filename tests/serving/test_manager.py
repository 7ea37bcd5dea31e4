"""A version's life: loaded, asked for, borrowed, unloaded; and what is told of it."""

import pytest
from serving.doubles import HandManager

from appliance.serving import (
    Load,
    ManagerState,
    NotServing,
    ServableId,
    ServableStateMonitor,
    Unload,
    resource_preserving,
)

LIFE = ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]


def surface(version):
    return ServableId("surface", version)


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
