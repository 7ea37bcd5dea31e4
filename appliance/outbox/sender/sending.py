"""What is on its way to the broker, and who hears what becomes of it. One lane for each kind of message."""

import logging
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from appliance.outbox.sender.replaying import Again, Replays

_log = logging.getLogger(__name__)

JSON: Final = "application/json"
_NOTES_MAX: Final = 256


class Outgoing(NamedTuple):
    """One message for the broker. A tuple: thousands are made in a second."""

    key: Hashable
    """The lane's own; a message that is sent again has the same."""
    topic: str
    """The whole topic."""
    payload: bytes
    retain: bool = False
    content_type: str | None = JSON
    attributes: Mapping[str, str] | None = None
    correlation: bytes | None = None


class Lane(Protocol):
    """One kind of message, and its order. One thread makes all calls."""

    def next_to_send(self) -> Outgoing | None:
        """Whose turn it is, to be followed by `sent` or `refused`; None where there is nothing to send now."""

    def sent(self, message: Outgoing) -> None:
        """It is on its way."""

    def received(self, message: Outgoing, *, nobody_listens: bool) -> None:
        """The broker has it."""

    def refused(self, message: Outgoing, sentence: str) -> None:
        """The broker does not take it, for the reason that `sentence` says to a person."""

    def start_again(self, window: int) -> None:
        """A new connection: nothing is under way any more, and at most `window` messages may be."""

    def suspect(self, message: Outgoing) -> Hashable | None:
        """What to remember `message` by, should the broker end the connection because of it; None: not sent again."""


@dataclass(frozen=True, slots=True)
class Note:
    """A message that is sent once, now or never: an event, an answer."""

    topic: str
    """The whole topic."""
    payload: bytes
    correlation: bytes | None = None


class Notes:
    """The lane of what is sent once: lost where the connection is lost, or 256 others came after it."""

    def __init__(self) -> None:
        self._waiting: deque[Note] = deque(maxlen=_NOTES_MAX)

    def __len__(self) -> int:
        """How many wait to be sent."""
        return len(self._waiting)

    def put(self, note: Note) -> None:
        """Send it with the next that are sent."""
        self._waiting.append(note)

    def next_to_send(self) -> Outgoing | None:
        """As Lane."""
        if not self._waiting:
            return None
        note = self._waiting[0]
        return Outgoing(note, note.topic, note.payload, correlation=note.correlation)

    def sent(self, message: Outgoing) -> None:
        """As Lane."""
        self._forget(message)

    def received(self, message: Outgoing, *, nobody_listens: bool) -> None:
        """As Lane."""

    def refused(self, message: Outgoing, sentence: str) -> None:
        """As Lane."""
        self._forget(message)
        _log.warning("%s", sentence)

    def start_again(self, window: int) -> None:
        """As Lane."""

    def suspect(self, _message: Outgoing) -> None:
        """As Lane."""
        return

    def _forget(self, message: Outgoing) -> None:
        if self._waiting and self._waiting[0] is message.key:
            self._waiting.popleft()


class Repeated:
    """The lane of what was asked for again; its order is the Replays'."""

    def __init__(self, replays: Replays) -> None:
        self._replays = replays

    def next_to_send(self) -> Outgoing | None:
        """As Lane."""
        again = self._replays.next_to_send()
        if again is None:
            return None
        return Outgoing(again, again.topic, again.payload, correlation=again.correlation)

    def sent(self, message: Outgoing) -> None:
        """As Lane."""
        self._replays.sent(_again(message))

    def received(self, message: Outgoing, *, nobody_listens: bool) -> None:
        """As Lane."""
        self._replays.received(_again(message).key)

    def refused(self, message: Outgoing, sentence: str) -> None:
        """As Lane."""
        self._replays.refused(_again(message).key, sentence)

    def start_again(self, window: int) -> None:
        """As Lane."""
        self._replays.start_again(window)

    def suspect(self, message: Outgoing) -> Hashable | None:
        """As Lane."""
        return message.topic


def _again(message: Outgoing) -> Again:
    if not isinstance(message.key, Again):
        msg = f"{message.key!r} is none of a replay's"
        raise TypeError(msg)
    return message.key
