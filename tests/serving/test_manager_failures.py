"""Loads, estimates and unloads that fail: one version ends, the others serve."""

from serving.doubles import HandManager, broken

from appliance.serving import (
    LoadError,
    LoadRefused,
    ManagerState,
    UnloadError,
)


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
