"""Every event in every state: what follows, what changes nothing, what is a bug."""

import contextlib
from dataclasses import fields
from typing import get_args

import pytest
from registry.deployments.making import DIGEST, LATER, ONE_OF_EACH, deployment, strategy

from appliance.registry.deployments.events import Event
from appliance.registry.deployments.machine import after
from appliance.registry.deployments.states import ENDS, TRANSITIONS, State

# The state that follows; "." the same object, "=" something written down, "+" counted as a move, "!" a bug.
# "8*x": the same in eight states.
COLUMNS = "pending downloading verifying staged loading accepting shadowing canary activating probation rolling_back"
TABLE = """
Began             downloading 10*!
StatementVerified ! = 9*!
Fetched           ! = 9*!
AlreadyHere       2*already_installed 9*!
Downloaded        ! verifying 9*!
Verified          2*! staged 8*!
Staged            3*! loading 7*!
Loaded            4*! accepting 6*!
Accepted          5*! shadowing 5*!
ShadowPassed      6*! canary 4*!
CanaryPassed      7*! activating 3*!
Counted           6*! 2*= ! = !
Activated         8*! probation 2*!
Committed         9*! success !
Refused           8*rejected 2*rolling_back .
Failed            9*failed rolling_back !
Disappointed      8*. 2*rolling_back .
Superseded        8*superseded 3*.
Canceled          8*canceled 3*.
TimedOut          8*timed_out 2*rolling_back !
RolledBack        10*! rolled_back
RollbackFailed    10*! rollback_failed
Crashed           . 8*+ = .
Approved          8*= 3*.
Held              8*= 3*!
Unheld            11*.
"""


def cells_of(row: str) -> list[str]:
    return [cell for text in row.split()[1:] for *times, cell in [text.split("*")] for _ in range(int(*times or [1]))]


ROWS = {row.split()[0]: cells_of(row) for row in TABLE.strip().splitlines()}
CASES = [
    (event, state, cell) for event, cells in ROWS.items() for state, cell in zip(COLUMNS.split(), cells, strict=True)
]


def test_the_table_knows_every_state_that_is_no_end_and_every_event():
    assert {State(name) for name in COLUMNS.split()} == set(TRANSITIONS)
    assert set(ROWS) == set(ONE_OF_EACH) == {kind.__name__ for kind in get_args(Event)}


@pytest.mark.parametrize(("event", "state", "cell"), CASES)
def test_what_follows(event, state, cell):
    before = deployment(State(state), moves=9, attempts=1, reason=None)
    if cell == "!":
        with pytest.raises(RuntimeError, match=rf"{event} cannot happen in {state}"):
            after(before, ONE_OF_EACH[event], strategy(), LATER)
        return
    now = after(before, ONE_OF_EACH[event], strategy(), LATER)
    if cell == ".":
        assert now is before
        return
    assert now != before
    assert now.moves == before.moves + (cell != "=")
    assert now.state.value == (state if cell in "=+" else cell)
    assert now.since == (before.since if cell in "=+" else LATER)


@pytest.mark.parametrize("end", sorted(ENDS))
@pytest.mark.parametrize("event", ONE_OF_EACH)
def test_ends_are_final(event, end):
    over = deployment(end)
    assert after(over, ONE_OF_EACH[event], strategy(), LATER) is over


def test_every_way_that_the_states_know_is_gone_by_some_event_and_no_other():
    gone = set()
    for state in TRANSITIONS:
        for event in ONE_OF_EACH.values():
            for shadow, canary in ((0, 0), (0, 1), (1, 1), (1, 0)):
                with contextlib.suppress(RuntimeError):
                    now = after(deployment(state), event, strategy(shadow=shadow, canary=canary), LATER)
                    gone |= {(state, now.state)} if now.state is not state else set()
    assert gone == {(state, to) for state, follows in TRANSITIONS.items() for to in follows}


def test_what_does_not_change_stays():
    before = deployment(State.SHADOWING, digest=DIGEST, request_id="r1", force=True, approved_by="anna")
    now = after(before, ONE_OF_EACH["ShadowPassed"], strategy(), LATER)
    changed = {field.name for field in fields(before) if getattr(now, field.name) != getattr(before, field.name)}
    assert changed == {"state", "since", "moves", "reports"}
