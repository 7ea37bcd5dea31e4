"""One range of one stream, published again in order: what was read, what is under way, what is missing. Pure.

Every number of the range is either in a message that the broker has, or named missing in the closing message; and the
messages go out for the first time in the order of their numbers. What has no receipt when a connection ends goes out
again.
"""

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from appliance.outbox.chain import as_replayed
from appliance.outbox.row import Row

IN_MEMORY_MAX: Final = 200
"""Messages of one replay that wait in memory."""
MISSING_MAX: Final = 500
"""Ranges named in the closing message; where there are more the replay ends there, and says from where to ask on."""
_STRIDE_MAX: Final = 50_000
"""Numbers at one look where there seems to be nothing; as many as the outbox' history finds by its index."""


class ReplayState(str, Enum):
    """Where a replay stands."""

    RUNNING = "running"
    CLOSING = "closing"
    """All is sent; the closing message is on its way."""
    DONE = "done"
    FAILING = "failing"
    """It cannot go on; the closing message that says so is on its way."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for. Immutable."""

    id: str
    camera: str
    stream: str
    first: int
    last: int
    """Inclusive."""
    topic: str
    """Where it goes, whole."""
    own_topic: str
    """The box's own, `<base>/<camera>/replay`: where a refusal of `topic` is told."""
    correlation: bytes | None
    request_id: str | None
    who: str
    begun_utc_ns: int
    held_first: int
    held_last: int
    """What the disk has of that stream when it is asked for: what is wanted beyond is missing without a look."""


@dataclass(frozen=True, slots=True)
class Item:
    """One message to be published."""

    topic: str
    payload: bytes
    correlation: bytes | None


@dataclass(frozen=True, slots=True)
class ReplayStatus:
    """How it stands. Immutable."""

    wanted: Wanted
    state: ReplayState
    sent: int
    """Messages that the broker has."""
    missing: tuple[tuple[int, int], ...]
    error: str | None


class Replay:
    """Owned by one thread at a time."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted: Final = wanted
        self._state = ReplayState.RUNNING
        self._error: str | None = None
        self._sent = 0
        self._missing: list[tuple[int, int]] = []
        self._next = wanted.first
        """The first number of which it is not known what there is."""
        self._last = wanted.last
        """The last one that this replay gets to."""
        self._stride: int | None = None
        """So many numbers at once, where the last look found nothing."""
        self._waiting: deque[Item] = deque()
        self._under_way: dict[int, Item] = {}
        self._miss(min(wanted.held_first - 1, wanted.last))
        self._miss_beyond(wanted.held_last)

    @property
    def has_ended(self) -> bool:
        """Nothing more comes of it."""
        return self._state in (ReplayState.DONE, ReplayState.FAILED)

    def status(self) -> ReplayStatus:
        """For whoever asks how far it is."""
        return ReplayStatus(self.wanted, self._state, self._sent, tuple(self._missing), self._error)

    def next_to_read(self, limit: int) -> tuple[int, int] | None:
        """Which numbers to look for, at most `limit` of them (more where there were none before); None: not now."""
        room = IN_MEMORY_MAX - len(self._waiting)
        if self._state is not ReplayState.RUNNING or room <= 0 or self._next > self._last:
            return None
        count = self._stride or min(limit, room)
        return self._next, min(self._next + count - 1, self._last)

    def feed(self, first: int, last: int, rows: Sequence[Row]) -> None:
        """What there is of the numbers `first` to `last`, as next_to_read() gave them."""
        if self._state is not ReplayState.RUNNING or first != self._next:
            return
        if rows and last - first >= IN_MEMORY_MAX:
            self._stride = (last - first + 1) // 2  # more than there is room for, perhaps: look closer
            return
        self._stride = None if rows else min(_STRIDE_MAX, 2 * (last - first + 1))
        for row in sorted(rows, key=lambda one: one.sequence):
            if row.through >= self._next and row.sequence <= self._last:
                self._miss(row.sequence - 1)
                if self._next > self._last:
                    return
                self._waiting.append(Item(self.wanted.topic, as_replayed(row.payload), self.wanted.correlation))
                self._next = row.through + 1
        self._miss(last)
        self._miss_beyond(self.wanted.held_last)

    def next_to_send(self) -> Item | None:
        """The message to publish now, to be followed by sent(); None where it waits for the disk, or for receipts."""
        is_read = self._state is ReplayState.RUNNING and self._next > self._last
        if is_read and not self._waiting and not self._under_way:
            self._close(ReplayState.CLOSING, self.wanted.topic)
        return self._waiting[0] if self._waiting else None

    def sent(self, key: int, item: Item) -> None:
        """That message is on its way."""
        if self._waiting and self._waiting[0] is item:  # and was not given up meanwhile
            self._under_way[key] = self._waiting.popleft()

    def received(self, key: int) -> None:
        """The broker has it."""
        if self._under_way.pop(key, None) is None:
            return
        if self._state is ReplayState.RUNNING:
            self._sent += 1
        elif self._state is ReplayState.CLOSING:
            self._state = ReplayState.DONE
        elif self._state is ReplayState.FAILING:
            self._state = ReplayState.FAILED

    def fail(self, reason: str) -> None:
        """The disk does not have it any more, or not now: the closing message says so."""
        self._give_up(reason, self.wanted.topic)

    def refused(self, reason: str) -> None:
        """The broker does not take it: that is told on the box's own topic, where it is another one."""
        is_other = self.wanted.own_topic != self.wanted.topic
        self._give_up(reason, self.wanted.own_topic if is_other else None)

    def start_again(self) -> None:
        """Nothing is under way any more: what has no receipt goes first, in order."""
        self._waiting.extendleft(reversed(self._under_way.values()))
        self._under_way.clear()

    def _give_up(self, reason: str, topic: str | None) -> None:
        if self.has_ended:
            return
        is_first = self._error is None or self._state is ReplayState.CLOSING
        self._waiting.clear()
        self._under_way.clear()
        if is_first:
            self._error = reason
        if is_first and topic is not None:
            self._close(ReplayState.FAILING, topic)
        else:
            self._state = ReplayState.FAILED

    def _miss(self, to: int) -> None:
        """There is nothing from the next number up to this one."""
        if to < self._next:
            return
        if self._missing and self._missing[-1][1] + 1 == self._next:
            self._missing[-1] = (self._missing[-1][0], to)
        elif len(self._missing) < MISSING_MAX:
            self._missing.append((self._next, to))
        else:
            self._error = (
                f"More than {MISSING_MAX} separate ranges of numbers are missing; ask on from sequence {self._next}."
            )
            self._last = self._next - 1
            return
        self._next = to + 1

    def _miss_beyond(self, held_last: int) -> None:
        if self._next > held_last:
            self._miss(self._last)

    def _close(self, state: ReplayState, topic: str) -> None:
        self._state = state
        wanted = self.wanted
        message = {
            "schema_version": 1,
            "verb": "replay",
            "status": 503 if self._error else 200,
            "request_id": wanted.request_id,
            "id": wanted.id,
            "camera": wanted.camera,
            "stream": wanted.stream,
            "from_sequence": wanted.first,
            "to_sequence": wanted.last,
            "sent": self._sent,
            "missing": self._missing,
            "error": self._error,
        }
        payload = json.dumps(message, separators=(",", ":")).encode()
        self._waiting.append(Item(topic, payload, wanted.correlation))
