"""Wishes that change their mind: withdrawn, wished again, rolled back."""

import pytest
from serving.doubles import CancellableLoader, HandManager

from appliance.serving import (
    HarnessState,
    Load,
    LoadCancelled,
    ManagerState,
    ServableId,
    Unload,
    availability_preserving,
)


def surface(version):
    return ServableId("surface", version)


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
