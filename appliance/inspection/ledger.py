"""The trigger ledger: every trigger ends as exactly one result, whoever is first to settle it."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from appliance.inspection.in_force import InForce
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
    in_force: InForce
    """The recipe by which it is judged: the one in force when it was triggered."""
    part_id: str | None = None
    on_result: Callable[[Result | None], None] | None = None
    """Who else is told, with the release: None where there was no part after all."""
    due_ns: int = 0
    """CLOCK_MONOTONIC before which it was not in front of the camera: no earlier picture shows it."""
    handed_over_ns: int | None = None
    """When its frame was handed to the station."""
    begun_ns: int | None = None
    """When the station took it up."""
    in_hand: Result | None = None
    """What is known while a second opinion is asked for: it stands where that takes too long."""
    is_settled: bool = False
    """It has its result, or is none after all. Guarded by the ledger's lock, as is `result`."""
    result: Result | None = None


class Ledger:
    """Parts that were triggered and have no result yet, or wait for an earlier one's.

    Results are released in the order of the triggers: a part that is settled early (an overlapped trigger) waits
    until those before it are, which is by their deadline at the latest. So a reader that counts never mistakes one
    part's result for another's.

    Threads: all methods from any thread. The lock is held for microseconds, and while `release` runs, so that two
    threads cannot release out of order.
    """

    def __init__(self, release: Callable[[Result], None], *, first_id: int = 0) -> None:
        """`release` takes each result, in order; it must be quick and never wait. `first_id`: to count from."""
        self._release = release
        self._lock = threading.Lock()
        self._sooner = threading.Condition(self._lock)
        self._open: deque[Part] = deque()  # guarded by _lock; the oldest first, which is never settled
        self._next_id = first_id  # guarded by _lock
        self._awaited_ns = 0  # guarded by _lock: until when wait_expiry() sleeps

    def open(
        self,
        triggered_ns: int,
        in_force: InForce,
        *,
        part_id: str | None = None,
        deadline_ns: int | None = None,
        due_ns: int | None = None,
        on_result: Callable[[Result | None], None] | None = None,
    ) -> Part:
        """Note a trigger that was given at `triggered_ns`. From now on its part will get a result.

        `deadline_ns`: by when its gate has to know, where that is not the recipe's deadline after this trigger
        (several exposures of one part); `due_ns`: see Part. `on_result` is told as `release` is, after it.
        """
        utc_ns = time.time_ns() - (time.monotonic_ns() - triggered_ns)
        if deadline_ns is None:
            deadline_ns = triggered_ns + round(in_force.deadline_ms * 1e6)
        give_up_ns = deadline_ns - round(in_force.margin_ms * 1e6)
        with self._lock:
            part = Part(
                self._next_id,
                triggered_ns,
                utc_ns,
                deadline_ns,
                give_up_ns,
                in_force,
                part_id,
                on_result,
                triggered_ns if due_ns is None else due_ns,
            )
            self._next_id += 1
            self._open.append(part)
            if give_up_ns < self._awaited_ns:
                self._sooner.notify()
        return part

    def settle(self, part: Part, result: Result) -> bool:
        """Give the part its result. False, and nothing happens, where it already has one."""
        return self._settle(part, result)

    def withdraw(self, part: Part) -> None:
        """There was no part after all (the stored pictures had ended). Only for simulated lines."""
        self._settle(part, None)

    def _settle(self, part: Part, result: Result | None) -> bool:
        with self._lock:
            if part.is_settled:
                return False
            part.is_settled = True
            part.result = result
            while self._open and self._open[0].is_settled:
                released = self._open.popleft()
                if released.result is not None:
                    self._release(released.result)
                if released.on_result is not None:
                    released.on_result(released.result)
        return True

    def expired(self, now_ns: int) -> list[Part]:
        """The parts that must be given up now, oldest first. They stay open until they are settled."""
        with self._lock:
            return [part for part in self._open if part.give_up_ns <= now_ns and not part.is_settled]

    def wait_expiry(self, longest_s: float) -> None:
        """Wait until the next part has to be given up, or wake(), at most `longest_s`. For one thread.

        `longest_s` best is the usual deadline: a part that is triggered meanwhile then wakes nobody.
        """
        now_ns = time.monotonic_ns()
        with self._lock:
            # Not always the oldest: after a changeover parts may have shorter deadlines than those before them.
            first_ns = min((part.give_up_ns for part in self._open if not part.is_settled), default=None)
            latest_ns = now_ns + round(longest_s * 1e9)
            self._awaited_ns = latest_ns if first_ns is None else min(first_ns, latest_ns)
            if self._awaited_ns > now_ns:
                self._sooner.wait((self._awaited_ns - now_ns) / 1e9)
            self._awaited_ns = 0

    def wake(self) -> None:
        """End a wait_expiry(); from any thread."""
        with self._lock:
            self._sooner.notify()

    @property
    def next_id(self) -> int:
        """The number of the next trigger."""
        return self._next_id

    def open_parts(self) -> int:
        """How many triggers wait for their result."""
        with self._lock:
            return len(self._open)
