"""The delivery's states and what moves it between them: one table, used as it stands here."""

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.Enum):
    """What the delivery may do now."""

    AWAY = enum.auto()
    """There is no connection."""
    OPEN = enum.auto()
    """Everything that there is may be sent."""
    HELD = enum.auto()
    """The broker refuses a row: it is tried alone, now and then, and nothing may overtake it."""
    LEAVING = enum.auto()
    """Only the good-bye is sent."""
    ENDED = enum.auto()
    """Nothing will be sent any more."""


class Happened(enum.Enum):
    """What can happen to it."""

    CAME = enum.auto()
    """The broker let us in."""
    CAME_HELD = enum.auto()
    """The broker let us in, and the row that it refused before is still there."""
    REFUSED = enum.auto()
    """The broker does not take a row."""
    TAKEN = enum.auto()
    """It has taken the row that it refused."""
    LOST = enum.auto()
    """The connection is over, or none came about."""
    LEAVE = enum.auto()
    """We are to say good-bye."""
    END = enum.auto()
    """We are to let go of everything."""


class Kind(enum.Enum):
    """What there is to send, in the order of its turns."""

    RETAINED = enum.auto()
    NOTES = enum.auto()
    ROWS = enum.auto()
    REPLAYS = enum.auto()


TABLE: Final[Mapping[State, Mapping[Happened, State]]] = {
    State.AWAY: {
        Happened.CAME: State.OPEN,
        Happened.CAME_HELD: State.HELD,
        Happened.LOST: State.AWAY,
        Happened.LEAVE: State.ENDED,
        Happened.END: State.ENDED,
    },
    State.OPEN: {
        Happened.REFUSED: State.HELD,
        Happened.LOST: State.AWAY,
        Happened.LEAVE: State.LEAVING,
        Happened.END: State.ENDED,
    },
    State.HELD: {
        Happened.REFUSED: State.HELD,
        Happened.TAKEN: State.OPEN,
        Happened.LOST: State.AWAY,
        Happened.LEAVE: State.LEAVING,
        Happened.END: State.ENDED,
    },
    State.LEAVING: {
        Happened.REFUSED: State.LEAVING,
        Happened.TAKEN: State.LEAVING,
        Happened.LOST: State.ENDED,
        Happened.LEAVE: State.LEAVING,
        Happened.END: State.ENDED,
    },
    State.ENDED: {
        Happened.LEAVE: State.ENDED,
        Happened.END: State.ENDED,
    },
}
"""A pair that is not here cannot happen: it would be a bug."""

SENDS: Final[Mapping[State, tuple[Kind, ...]]] = {
    State.AWAY: (),
    State.OPEN: tuple(Kind),
    State.HELD: (Kind.RETAINED, Kind.NOTES, Kind.ROWS),
    State.LEAVING: (Kind.RETAINED,),
    State.ENDED: (),
}
"""What is sent there, in the order of turns."""


def after(state: State, happened: Happened) -> State:
    """The state that follows. Raises RuntimeError where that cannot happen in `state`."""
    try:
        return TABLE[state][happened]
    except KeyError:
        msg = f"{happened.name} in {state.name}"
        raise RuntimeError(msg) from None
