"""Which software trigger does a picture answer? Cameras tell nothing, and leave out triggers that come too early."""

from collections import deque
from typing import Final

_TOLERANCE_NS: Final = 2_000_000
"""So much before its trigger a picture may seem to be exposed: the mapping of the clocks is no better."""


class SoftwareTriggers:
    """Binds pictures to triggers in their order; a trigger whose picture does not come in time is given up.

    A picture of a trigger that was given up may still come, and is known by its time: it is from before the trigger
    that is waiting. Pure: times come from outside, CLOCK_MONOTONIC in nanoseconds. Threads: one.
    """

    def __init__(self, given_up_after_ns: int) -> None:
        """`given_up_after_ns`: so long a picture may take, from its trigger until it is here."""
        self._limit_ns = given_up_after_ns
        self._waiting: deque[tuple[int, int]] = deque()
        self._given_up: deque[tuple[int, int]] = deque(maxlen=64)
        self._fired = 0

    def fire(self, now_ns: int) -> int:
        """The camera was told to expose. Returns the trigger's number, from 0."""
        number, self._fired = self._fired, self._fired + 1
        self._waiting.append((number, now_ns))
        return number

    def waits(self, now_ns: int) -> bool:
        """A picture is still to come; one that does not come is not waited for for ever."""
        while self._waiting and now_ns - self._waiting[0][1] > self._limit_ns:
            self._given_up.append(self._waiting.popleft())
        return bool(self._waiting)

    def lost(self, exposures: int) -> None:
        """The camera's ids say that so many exposures never arrived: the oldest."""
        for _ in range(exposures):
            if self._given_up:
                self._given_up.popleft()
            elif len(self._waiting) > 1:
                self._waiting.popleft()

    def answered(self, exposed_ns: int) -> tuple[int, int] | None:
        """(number, when fired) of the trigger that a picture of that moment answers; None: nothing asked for it."""
        latest_ns = exposed_ns + _TOLERANCE_NS
        if self._waiting and self._waiting[0][1] <= latest_ns:
            self._given_up.clear()
            return self._waiting.popleft()
        while self._given_up and self._given_up[-1][1] > latest_ns:
            self._given_up.pop()
        if not self._given_up:
            return None
        late = self._given_up[-1]
        self._given_up.clear()
        return late
