"""Messages between the verdict thread, which may never wait, and the disk, which may always make it wait."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice

from appliance.outbox.disk.numbering import Entry, Losses


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do for one transaction."""

    entries: list[Entry | Losses]
    """From the front of the queue, where they stay until `taken`."""
    acknowledged: int
    """The broker has every row up to this one."""


class Intake:
    """A queue with an end that counts what did not fit. Any thread; nothing here waits for the disk."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition(threading.Lock())
        # guarded by _changed:
        self._queue: deque[Entry | Losses] = deque()
        self._losses: Losses | None = None
        """The queue's last element, while more may be added to it."""
        self._lost = 0
        self._acknowledged = 0
        self._give_up_ns: int | None = None

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """What is put now is lost."""
        return len(self._queue) >= self._limit

    @property
    def lost_total(self) -> int:
        """Messages that did not fit."""
        return self._lost

    def put(self, entry: Entry) -> None:
        """Take it, or count it as lost in the place where it would have been. Raises RuntimeError after end()."""
        with self._changed:
            if self._give_up_ns is not None:
                msg = "a message came after the outbox was closed"
                raise RuntimeError(msg)
            if len(self._queue) < self._limit:
                self._losses = None
                self._queue.append(entry)
            else:
                self._lose(entry)
            self._changed.notify()

    def acknowledge(self, row: int) -> None:
        """The broker has every row up to this one; an older number does nothing."""
        with self._changed:
            if row > self._acknowledged:
                self._acknowledged = row
                self._changed.notify()

    def end(self, give_up_ns: int) -> None:
        """Take no more; what is there may be tried until this moment (CLOCK_MONOTONIC)."""
        with self._changed:
            self._give_up_ns = give_up_ns
            self._changed.notify()

    @property
    def acknowledged(self) -> int:
        """The broker has every row up to this one."""
        return self._acknowledged

    @property
    def has_ended(self) -> bool:
        """end() was called."""
        return self._give_up_ns is not None

    def is_done(self) -> bool:
        """It has ended, and it is empty or there is no time left."""
        with self._changed:
            give_up_ns = self._give_up_ns
            return give_up_ns is not None and (not self._queue or time.monotonic_ns() > give_up_ns)

    def wait_for_work(self, most: int, wait_s: float) -> Work:
        """Wait until there is something, the end has come or the time is over; at most `most` entries of it."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._give_up_ns is not None, wait_s)
            entries = list(islice(self._queue, most))
            if entries and entries[-1] is self._losses:
                self._losses = None  # it is being written: what is lost from here on comes after it
            return Work(entries, self._acknowledged)

    def taken(self, count: int) -> None:
        """So many entries, from the front, are dealt with."""
        with self._changed:
            for _ in range(count):
                self._queue.popleft()

    def pause(self, wait_s: float) -> None:
        """Wait, but not longer than until the end comes, or a receipt that may have made room on the disk."""
        with self._changed:
            seen, ended = self._acknowledged, self._give_up_ns is not None
            if self._give_up_ns is not None:
                wait_s = min(wait_s, max(0.0, (self._give_up_ns - time.monotonic_ns()) / 1e9))
            self._changed.wait_for(
                lambda: self._acknowledged > seen or (self._give_up_ns is not None) is not ended, wait_s
            )

    def left(self) -> Losses:
        """Everything in the queue, as losses."""
        counts: dict[tuple[str, str], int] = {}
        with self._changed:
            for one in self._queue:
                several = one.counts if isinstance(one, Losses) else {(one.camera, one.topic): 1}
                for key, count in several.items():
                    counts[key] = counts.get(key, 0) + count
        return Losses(counts, "not_recorded")

    def _lose(self, entry: Entry) -> None:
        if self._losses is None:
            self._losses = Losses({}, "not_recorded")
            self._queue.append(self._losses)
        key = (entry.camera, entry.topic)
        self._losses.counts[key] = self._losses.counts.get(key, 0) + 1
        self._lost += 1
