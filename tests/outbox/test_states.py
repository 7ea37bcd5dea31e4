"""The writer's states, as a table: every event in every state."""

import pytest

from appliance.outbox.errors import DiskFailed, DiskFull, OutboxDamaged, OutboxError, OutboxFull, OutboxInUse
from appliance.outbox.states import TRANSITIONS, Event, NotPossible, State, event_of, following

TABLE = """
              OPENED     DONE       NO_ROOM_LEFT  DISK_WAS_FULL  DISK_FAILED  FOUND_DAMAGE  FOUND_IN_USE  ENDED
OPENING       RECORDING  -          -             DISK_FULL      DISK_FAILED  DAMAGED       IN_USE        ENDED
RECORDING     -          RECORDING  FULL          DISK_FULL      DISK_FAILED  DAMAGED       -             ENDED
FULL          -          RECORDING  FULL          DISK_FULL      DISK_FAILED  DAMAGED       -             ENDED
DISK_FULL     RECORDING  RECORDING  FULL          DISK_FULL      DISK_FAILED  DAMAGED       IN_USE        ENDED
DISK_FAILED   RECORDING  RECORDING  FULL          DISK_FULL      DISK_FAILED  DAMAGED       IN_USE        ENDED
DAMAGED       RECORDING  -          -             DISK_FULL      DISK_FAILED  DAMAGED       IN_USE        ENDED
IN_USE        RECORDING  -          -             DISK_FULL      DISK_FAILED  DAMAGED       IN_USE        ENDED
ENDED         -          -          -             -              -            -             -             ENDED
"""


def cells():
    header, *lines = TABLE.strip().splitlines()
    for line in lines:
        state, *following_states = line.split()
        for event, wanted in zip(header.split(), following_states, strict=True):
            yield State[state], Event[event], None if wanted == "-" else State[wanted]


@pytest.mark.parametrize(("state", "event", "wanted"), list(cells()))
def test_what_follows(state, event, wanted):
    if wanted is None:
        with pytest.raises(NotPossible):
            following(state, event)
    else:
        assert following(state, event) is wanted


def test_the_table_names_every_state_and_every_event():
    assert {(state, event) for state, event, _ in cells()} == {(state, event) for state in State for event in Event}
    assert set(TRANSITIONS) == set(State)


def test_parts_are_taken_in_one_state_only():
    assert [state for state in State if state.takes_parts] == [State.RECORDING]


def test_there_is_a_way_back_to_recording_from_all_but_the_end():
    for state in State:
        reached = {state}
        for _ in State:
            reached |= {following_state for one in reached for following_state in TRANSITIONS[one].values()}
        assert (State.RECORDING in reached) is (state is not State.ENDED)
        assert State.ENDED in reached


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (OutboxFull, Event.NO_ROOM_LEFT),
        (DiskFull, Event.DISK_WAS_FULL),
        (DiskFailed, Event.DISK_FAILED),
        (OutboxDamaged, Event.FOUND_DAMAGE),
        (OutboxInUse, Event.FOUND_IN_USE),
    ],
)
def test_every_kind_of_error_is_an_event(error, event):
    assert event_of(error("a sentence")) is event
    assert {one.__name__ for one in OutboxError.__subclasses__()} == {
        "OutboxFull", "DiskFull", "DiskFailed", "OutboxDamaged", "OutboxInUse",
    }  # fmt: skip
