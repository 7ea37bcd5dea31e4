"""The trigger ledger: every trigger ends as exactly one result, whoever is first to settle it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.inspection.result import Result


@dataclass(eq=False, slots=True)
class Part:
    """One trigger, and what is known of its part on the way to a verdict.

    Written by one thread at a time, in the order of the fields: trigger source, camera thread, station.
    """

    trigger_id: int
    triggered_ns: int
    """CLOCK_MONOTONIC of the trigger."""
    triggered_utc_ns: int
    deadline_ns: int
    """CLOCK_MONOTONIC by which the gate has to know."""
    give_up_ns: int
    """CLOCK_MONOTONIC at which a part without a verdict fails: the margin before the deadline."""
    handed_over_ns: int | None = None
    """When its frame was handed to the station."""
    begun_ns: int | None = None
    """When the station took it up."""
    settled: bool = field(default=False)
    """Its result was given. Guarded by the ledger's lock."""


class Ledger:
    """Parts that were triggered and have no result yet.

    Threads: all methods from any thread. The lock is held for a few microseconds; `settled` is called outside
    of it, by the thread that settled.
    """

    def __init__(self, deadline_s: float, margin_s: float, settled: Callable[[Part, Result], None]) -> None:
        """`margin_s`: how long before its deadline a part without a verdict is given up."""
        self._deadline_ns = round(deadline_s * 1e9)
        self._margin_ns = round(margin_s * 1e9)
        self._settled = settled
        self._lock = threading.Lock()
        self._open: OrderedDict[int, Part] = OrderedDict()  # guarded by _lock; by trigger, oldest first
        self._next_id = 0  # guarded by _lock

    def open(self, triggered_ns: int, first_id: int | None = None) -> Part:
        """Note a trigger that was given at `triggered_ns`. From now on its part will get a result."""
        utc_ns = time.time_ns() - (time.monotonic_ns() - triggered_ns)
        with self._lock:
            if first_id is not None:
                self._next_id = max(self._next_id, first_id)
            deadline_ns = triggered_ns + self._deadline_ns
            part = Part(self._next_id, triggered_ns, utc_ns, deadline_ns, deadline_ns - self._margin_ns)
            self._next_id += 1
            self._open[part.trigger_id] = part
        return part

    def settle(self, part: Part, result: Result) -> bool:
        """Give the part its result. False, and nothing happens, where it already has one."""
        with self._lock:
            if part.settled:
                return False
            part.settled = True
            del self._open[part.trigger_id]
        self._settled(part, result)
        return True

    def withdraw(self, part: Part) -> None:
        """There was no part after all (the stored pictures had ended). Only for simulated lines."""
        with self._lock:
            if not part.settled:
                part.settled = True
                del self._open[part.trigger_id]

    def expired(self, now_ns: int) -> list[Part]:
        """The parts that must be given up now, oldest first. They stay open until they are settled."""
        with self._lock:
            return [part for part in self._open.values() if part.give_up_ns <= now_ns]

    def next_expiry_ns(self) -> int | None:
        """When the oldest open part has to be given up; None without one."""
        with self._lock:
            oldest = next(iter(self._open.values()), None)
        return None if oldest is None else oldest.give_up_ns

    def open_parts(self) -> int:
        """How many triggers wait for their result."""
        with self._lock:
            return len(self._open)
