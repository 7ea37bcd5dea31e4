import logging
import weakref
from datetime import datetime, timezone

import pytest
from serving.doubles import Bench, broken

from appliance.serving import HarnessState, LoadError, LoadRefused, OutOfResources, ServableId, UnloadError
from appliance.serving.harness import Harness
from appliance.serving.state import TRANSITIONS

S = HarnessState


def harness(state=S.NEW, **wishes):
    made = Harness(ServableId("surface", 7), Bench().loader(**wishes), lambda: datetime.now(timezone.utc))
    made.state = state
    return made


@pytest.mark.parametrize("before", S)
@pytest.mark.parametrize("after", S)
def test_it_moves_as_the_table_says_and_in_no_other_way(before, after):
    moving = harness(before)
    if after in TRANSITIONS[before]:
        moving.move(after)
        assert moving.state is after
    else:
        with pytest.raises(RuntimeError, match=f"from state {before.value} to {after.value}"):
            moving.move(after)
        assert moving.state is before


@pytest.mark.parametrize("state", [one for one in S if one is not S.NEW])
def test_of_two_requests_to_load_one_wins(state):
    with pytest.raises(RuntimeError, match="Duplicate load request"):
        harness(state).request_load()


@pytest.mark.parametrize("state", [one for one in S if one is not S.READY])
def test_only_what_is_ready_can_be_asked_to_unload(state):
    with pytest.raises(RuntimeError, match="Servable not loaded, or unload already requested/ongoing"):
        harness(state).request_unload()


def test_what_a_foreign_library_raises_becomes_a_sentence_that_names_the_version():
    with pytest.raises(LoadError, match=r"surface version: 7\} could not be loaded: KeyError: 'weights'"):
        harness(outcomes=[KeyError("weights")]).load()
    with pytest.raises(LoadError, match="could not be estimated: OSError"):
        harness(estimates=[OSError("gone")]).estimate()


def test_an_unload_that_fails_in_a_foreign_library_becomes_ours_too():
    def fail():
        raise ValueError("still busy")

    loaded = harness(during_unload=fail)
    loaded.load()
    with pytest.raises(UnloadError, match="could not be unloaded cleanly: ValueError: still busy"):
        loaded.unload()


@pytest.mark.parametrize(
    ("error", "attempts", "expected"),
    [
        (broken(), 1, True),
        (broken(), 3, True),
        (broken(), 4, False),
        (LoadRefused("bad signature"), 1, False),
        (OutOfResources("no room"), 1, False),
    ],
)
def test_retries_are_counted_after_the_first_attempt_and_only_for_what_may_pass(error, attempts, expected):
    tried = harness()
    tried.attempts = attempts
    assert tried.may_try_again(error, max_load_retries=3) is expected


def test_a_kept_error_keeps_no_half_loaded_model_alive(caplog):
    caplog.set_level(logging.CRITICAL, "appliance.serving.harness")  # pytest keeps what was logged, frames and all

    class Weights:
        pass

    alive = []

    def explode():
        weights = Weights()
        alive.append(weakref.ref(weights))
        raise MemoryError

    failed = harness(S.LOADING, during_load=explode)
    try:
        failed.load()
    except LoadError as error:
        failed.fail(error)
    assert isinstance(failed.error.__cause__, MemoryError)
    assert alive[0]() is None
