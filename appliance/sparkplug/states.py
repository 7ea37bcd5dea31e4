"""The states of the edge node, and what leads from one to the next. Pure: a table."""

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.Enum):
    """Where the node stands with its server."""

    AWAY = enum.auto()
    """Not connected."""
    SUBSCRIBING = enum.auto()
    """Let in, and asking for commands; nothing was said."""
    WAITING = enum.auto()
    """The primary host is not there: nothing is said."""
    LIVE = enum.auto()
    """Born: parts are told."""
    PAUSED = enum.auto()
    """Born, and asked for a rebirth too soon after the last: nothing is said until then."""
    ENDED = enum.auto()
    """Gone for good."""


class Event(enum.Enum):
    """What happens to it."""

    OPENED = enum.auto()
    """A server has let us in."""
    GRANTED = enum.auto()
    """Commands, and the host's STATE, will reach us."""
    HOST_ONLINE = enum.auto()
    """The primary host is there; or there is none to wait for."""
    HOST_OFFLINE = enum.auto()
    HOST_SILENT = enum.auto()
    """This server knows nothing of the primary host, or that it is away; and there is another server."""
    REBIRTH = enum.auto()
    """A host asks for the births, and may have them now."""
    REBIRTH_SOON = enum.auto()
    """A host asks for the births, too soon after the last."""
    CLOSED = enum.auto()
    """The connection is gone."""
    LEAVE = enum.auto()
    """The box stops."""


class Act(enum.Enum):
    """What the node does on the way."""

    NOTHING = enum.auto()
    SUBSCRIBE = enum.auto()
    BEAR = enum.auto()
    """NBIRTH, and DBIRTH of each device."""
    DIE = enum.auto()
    """NDEATH, and leave the server."""


_TABLE: Final[Mapping[State, Mapping[Event, tuple[State, Act]]]] = {
    State.AWAY: {
        Event.OPENED: (State.SUBSCRIBING, Act.SUBSCRIBE),
        Event.LEAVE: (State.ENDED, Act.NOTHING),
    },
    State.SUBSCRIBING: {
        Event.GRANTED: (State.WAITING, Act.NOTHING),
        Event.CLOSED: (State.AWAY, Act.NOTHING),
        Event.LEAVE: (State.ENDED, Act.DIE),
    },
    State.WAITING: {
        Event.HOST_ONLINE: (State.LIVE, Act.BEAR),
        Event.HOST_SILENT: (State.AWAY, Act.DIE),
        Event.CLOSED: (State.AWAY, Act.NOTHING),
        Event.LEAVE: (State.ENDED, Act.DIE),
    },
    State.LIVE: {
        Event.HOST_OFFLINE: (State.AWAY, Act.DIE),
        Event.REBIRTH: (State.LIVE, Act.BEAR),
        Event.REBIRTH_SOON: (State.PAUSED, Act.NOTHING),
        Event.CLOSED: (State.AWAY, Act.NOTHING),
        Event.LEAVE: (State.ENDED, Act.DIE),
    },
    State.PAUSED: {
        Event.HOST_OFFLINE: (State.AWAY, Act.DIE),
        Event.REBIRTH: (State.LIVE, Act.BEAR),
        Event.CLOSED: (State.AWAY, Act.NOTHING),
        Event.LEAVE: (State.ENDED, Act.DIE),
    },
    State.ENDED: {},
}


def step(state: State, event: Event) -> tuple[State, Act]:
    """The state after `event`, and what to do; an event that a state does not know changes nothing."""
    return _TABLE[state].get(event, (state, Act.NOTHING))
