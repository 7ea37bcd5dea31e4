"""How long what the broker has is kept, although a box's clock is not always right. Pure: the clock comes from outside.

A wrong clock must not delete a week of results. So nothing goes for its age until the clock has been steady for a day
of running after a step of an hour or more; and a file whose newest row is from the future, or more than a day old,
counts as such a step. Which rows are old is a matter of their order, too: see `marks`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_HOUR_NS: Final = 3_600_000_000_000
_DAY_NS: Final = 24 * _HOUR_NS
STEP_NS: Final = _HOUR_NS
"""A clock that moves by more than this against the time that passed was set."""
STEADY_NS: Final = _DAY_NS
"""So long it must run on before it is believed."""
AWAY_NS: Final = _DAY_NS
"""A box that recorded nothing for longer was off, or its clock was set; which of them, nobody knows."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks of one box."""

    utc_ns: Callable[[], int] = time.time_ns
    """Wall clock, since 1970; may jump."""
    monotonic_ns: Callable[[], int] = time.monotonic_ns


class Retention:
    """Says from when on rows are too old. One thread."""

    def __init__(self, keep_days: float, newest_utc_ns: int | None, clock: Clock) -> None:
        """`newest_utc_ns`: when the newest row of the file was recorded, by the clock of then."""
        self._keep_ns = int(keep_days * _DAY_NS)
        self._clock = clock
        self._utc_ns, self._monotonic_ns = clock.utc_ns(), clock.monotonic_ns()
        away_ns = 0 if newest_utc_ns is None else self._utc_ns - newest_utc_ns
        self._steady_from_ns: int | None = None
        if not -STEP_NS <= away_ns <= AWAY_NS:
            self._steady_from_ns = self._monotonic_ns

    @property
    def keeps_nothing(self) -> bool:
        """What the broker has goes at once."""
        return self._keep_ns == 0

    def cutoff_ns(self) -> int | None:
        """Rows recorded before this moment (nanoseconds since 1970) may go; None: no row may, for its age."""
        utc_ns, monotonic_ns = self._clock.utc_ns(), self._clock.monotonic_ns()
        step_ns = (utc_ns - self._utc_ns) - (monotonic_ns - self._monotonic_ns)
        self._utc_ns, self._monotonic_ns = utc_ns, monotonic_ns
        if abs(step_ns) > STEP_NS:
            self._steady_from_ns = monotonic_ns
        if self._steady_from_ns is not None:
            if monotonic_ns - self._steady_from_ns < STEADY_NS:
                return None
            self._steady_from_ns = None
        return utc_ns - self._keep_ns
