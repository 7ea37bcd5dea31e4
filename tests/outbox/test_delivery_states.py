"""The delivery's table of states: whatever happens in whatever order, nothing is sent that may not be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.outbox.sender.delivery_states import SENDS, TABLE, Happened, Kind, State, after

EVENTS = st.lists(st.sampled_from(Happened), max_size=30)


def test_each_state_has_a_row_and_each_leads_to_one_that_has():
    assert set(TABLE) == set(SENDS) == set(State)
    assert {following for row in TABLE.values() for following in row.values()} == set(State)


def test_what_cannot_happen_is_a_bug():
    for state in State:
        for happened in set(Happened) - set(TABLE[state]):
            with pytest.raises(RuntimeError, match=f"{happened.name} in {state.name}"):
                after(state, happened)


def test_what_each_state_may_send():
    assert set(SENDS[State.OPEN]) == set(Kind)
    assert SENDS[State.OPEN][0] is Kind.RETAINED, "health does not wait for a backlog"
    assert SENDS[State.OPEN][-1] is Kind.REPLAYS, "nothing new waits for a replay"
    assert Kind.REPLAYS not in SENDS[State.HELD]
    assert SENDS[State.LEAVING] == (Kind.RETAINED,)
    assert SENDS[State.AWAY] == SENDS[State.ENDED] == ()


@given(EVENTS)
def test_in_every_history_rows_go_out_on_a_connection_only_and_after_the_end_nothing(events):
    state, connected, leaving, refused = State.AWAY, False, False, False
    for event in events:
        if event not in TABLE[state]:
            continue
        state = after(state, event)
        match event:
            case Happened.CAME | Happened.CAME_HELD:
                connected, refused = True, event is Happened.CAME_HELD
            case Happened.LOST:
                connected = False
            case Happened.REFUSED | Happened.TAKEN:
                refused = event is Happened.REFUSED
            case Happened.LEAVE | Happened.END:
                leaving = True
        sends = set(SENDS[state])
        assert not sends or connected
        assert Kind.ROWS not in sends or not leaving
        assert (state is State.HELD) is (connected and refused and not leaving)


@given(EVENTS)
def test_an_end_is_for_ever(events):
    state = State.ENDED
    for event in events:
        if event in TABLE[state]:
            state = after(state, event)
    assert state is State.ENDED
