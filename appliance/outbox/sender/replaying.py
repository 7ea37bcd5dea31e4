"""What subscribers asked to hear again: rows that the broker had, published once more on the side.

The delivery asks for the next one whenever nothing newer wants to be sent, and says what became of it; live results
always go first, and at most a share of the window is under way for a replay. Somebody else reads the disk (see
`appliance.gateway.replays`) and feeds what was read, a little at a time.

A replay is remembered in memory only: with the gateway it ends, and who asked for it asks again.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.outbox.row import Row
from appliance.outbox.sender.replay import Item, Replay, ReplayStatus, Wanted

AT_ONCE_MAX: Final = 4
REMEMBERED_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Again:
    """One message to publish once more."""

    key: int
    """For `received` and `refused`."""
    topic: str
    """The whole topic."""
    payload: bytes
    correlation: bytes | None


@dataclass(frozen=True, slots=True)
class Slice:
    """What is to be read from the disk next: these numbers of a stream, both inclusive."""

    replay_id: str
    camera: str
    stream: str
    first: int
    last: int


class Replays:
    """Threads: the publisher's calls what is below that comment, any thread everything else.

    Nothing here waits, or touches the disk.
    """

    def __init__(self, window: int = 50) -> None:
        """`window`: messages under way at once, of which a quarter may be replayed ones."""
        self._lock = threading.Lock()
        # guarded by _lock:
        self._share = _share_of(window)
        self._active: deque[Replay] = deque()
        """Whose turn it is stands in front."""
        self._ended: deque[Replay] = deque(maxlen=REMEMBERED_MAX)
        self._under_way: dict[int, Replay] = {}
        self._last_key = 0
        self._offered: tuple[Replay, Item] | None = None

    # ---- whoever takes requests, and reads the disk

    def begin(self, wanted: Wanted) -> bool:
        """Take one more on; False where as many as may run at once do."""
        with self._lock:
            if len(self._active) >= AT_ONCE_MAX:
                return False
            self._active.append(Replay(wanted))
            return True

    @property
    def room(self) -> int:
        """How many more begin() would take on."""
        with self._lock:
            return AT_ONCE_MAX - len(self._active)

    @property
    def is_idle(self) -> bool:
        """Nothing is asked for."""
        with self._lock:
            return not self._active

    def next_to_read(self, budget: int) -> list[Slice]:
        """What to read, about `budget` numbers in all; empty where there is enough in memory."""
        with self._lock:
            limit = max(1, budget // max(1, len(self._active)))
            found = [(one.wanted, one.next_to_read(limit)) for one in self._active]
            return [
                Slice(wanted.id, wanted.camera, wanted.stream, *numbers)
                for wanted, numbers in found
                if numbers is not None
            ]

    def feed(self, read: Slice, rows: Sequence[Row]) -> None:
        """All that the disk still has of this slice; what is not among it will be named missing."""
        with self._lock:
            for one in self._active:
                if one.wanted.id == read.replay_id:
                    one.feed(read.first, read.last, rows)

    def fail(self, replay_id: str, reason: str) -> None:
        """This one cannot go on; its asker is told."""
        with self._lock:
            for one in list(self._active):
                if one.wanted.id == replay_id:
                    one.fail(reason)
                    self._settle(one)

    def statuses(self) -> list[ReplayStatus]:
        """Of those that run, and of the newest 32 that ended; newest first."""
        with self._lock:
            every = [*self._ended, *self._active]
            return [one.status() for one in sorted(every, key=lambda one: one.wanted.begun_utc_ns, reverse=True)]

    # ---- the publisher

    def next_to_send(self) -> Again | None:
        """Whose turn it is, to be followed by `sent`; None where nothing is asked for, or enough is under way."""
        with self._lock:
            if len(self._under_way) >= self._share:
                return None
            for one in self._active:
                item = one.next_to_send()
                if item is not None:
                    self._offered = one, item
                    return Again(self._last_key + 1, item.topic, item.payload, item.correlation)
            return None

    def sent(self, again: Again) -> None:
        """It is on its way."""
        with self._lock:
            if self._offered is None:
                return
            (one, item), self._offered = self._offered, None
            self._last_key = again.key
            self._under_way[again.key] = one
            one.sent(again.key, item)
            if one in self._active:  # the others' turn comes first
                self._active.remove(one)
                self._active.append(one)

    def received(self, key: int) -> None:
        """The broker has it."""
        with self._lock:
            one = self._under_way.pop(key, None)
            if one is not None:
                one.received(key)
                self._settle(one)

    def refused(self, key: int, reason: str) -> None:
        """The broker does not take it: that replay ends, and its asker is told where that can be."""
        with self._lock:
            one = self._under_way.pop(key, None)
            if one is None and self._offered is not None and key > self._last_key:  # it could not even be sent
                one, self._offered = self._offered[0], None
            if one is not None:
                self._under_way = {key: other for key, other in self._under_way.items() if other is not one}
                one.refused(reason)
                self._settle(one)

    def start_again(self, window: int = 0) -> None:
        """A new connection: what had no receipt is sent again. `window`: as the broker has it; 0: as before."""
        with self._lock:
            if window:
                self._share = _share_of(window)
            self._under_way.clear()
            self._offered = None
            for one in self._active:
                one.start_again()

    def _settle(self, one: Replay) -> None:
        if one.has_ended and one in self._active:
            self._active.remove(one)
            self._ended.append(one)


def _share_of(window: int) -> int:
    return max(1, window // 4)
