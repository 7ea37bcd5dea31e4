"""What the writer of the outbox can be in, and what leads from one to another: the whole of it is the table."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from appliance.outbox.errors import DiskFull, OutboxDamaged, OutboxError, OutboxFull, OutboxInUse


class State(Enum):
    """Of the thread that records."""

    OPENING = "opening"
    """Nothing was recorded yet; the file is looked for, checked or made."""
    RECORDING = "recording"
    """The last thing that was asked of the disk was done."""
    FULL = "full"
    """The results that wait have reached `max_bytes`, and none may be given up."""
    DISK_FULL = "disk_full"
    """The disk has no room; room is made and it is tried again."""
    DISK_FAILED = "disk_failed"
    """The disk does not do what it is asked; it is tried again."""
    DAMAGED = "damaged"
    """The file is not what was written; it is set aside and a new one is made of what can be read."""
    IN_USE = "in_use"
    """Another process has the folder; this one waits for its end."""
    ENDED = "ended"
    """Nothing will be recorded any more."""

    @property
    def takes_parts(self) -> bool:
        """Whether a part that is judged now is recorded; otherwise it must not pass."""
        return self is State.RECORDING


class Event(Enum):
    """What the writer meets."""

    OPENED = "opened"
    """There is a file, and it can be trusted; also one that was rebuilt."""
    DONE = "done"
    """A transaction, or nothing to do."""
    NO_ROOM_LEFT = "no_room_left"
    """max_bytes is reached."""
    DISK_WAS_FULL = "disk_was_full"
    DISK_FAILED = "disk_failed"
    FOUND_DAMAGE = "found_damage"
    FOUND_IN_USE = "found_in_use"
    ENDED = "ended"


class NotPossible(RuntimeError):
    """A bug: this event cannot happen in this state."""


_TROUBLE: Final = {
    Event.DISK_WAS_FULL: State.DISK_FULL,
    Event.DISK_FAILED: State.DISK_FAILED,
    Event.FOUND_DAMAGE: State.DAMAGED,
    Event.ENDED: State.ENDED,
}
_WITHOUT_FILE: Final = _TROUBLE | {Event.OPENED: State.RECORDING, Event.FOUND_IN_USE: State.IN_USE}
_WITH_FILE: Final = _TROUBLE | {Event.DONE: State.RECORDING, Event.NO_ROOM_LEFT: State.FULL}

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.OPENING: _WITHOUT_FILE,
    State.IN_USE: _WITHOUT_FILE,
    State.DAMAGED: _WITHOUT_FILE,
    State.RECORDING: _WITH_FILE,
    State.FULL: _WITH_FILE,
    # A disk fails while a file is opened, and while one is written.
    State.DISK_FULL: _WITHOUT_FILE | _WITH_FILE,
    State.DISK_FAILED: _WITHOUT_FILE | _WITH_FILE,
    State.ENDED: {Event.ENDED: State.ENDED},
}


def following(state: State, event: Event) -> State:
    """Where `event` leads. Raises NotPossible, which is a bug."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        msg = f"the outbox's writer met {event.name} while {state.name}"
        raise NotPossible(msg) from None


def event_of(error: OutboxError) -> Event:
    """Which event an error is; every kind is one."""
    if isinstance(error, OutboxFull):
        return Event.NO_ROOM_LEFT
    if isinstance(error, DiskFull):
        return Event.DISK_WAS_FULL
    if isinstance(error, OutboxDamaged):
        return Event.FOUND_DAMAGE
    if isinstance(error, OutboxInUse):
        return Event.FOUND_IN_USE
    return Event.DISK_FAILED
