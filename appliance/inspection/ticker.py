"""The timer trigger: one part every takt."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Ticker:
    """Gives a trigger every `takt_s` seconds, on an absolute schedule, so that delays do not add up.

    A trigger is the moment it is really given. Where the computer slept through one, it was not given: it is
    skipped, counted and said, and the schedule goes on.
    """

    def __init__(self, takt_s: float, parts: int | None, trigger: Callable[[int], object]) -> None:
        """`parts`: end after so many; `trigger` takes the moment, CLOCK_MONOTONIC nanoseconds."""
        self._takt_ns = round(takt_s * 1e9)
        self._parts = parts
        self._trigger = trigger
        self.skipped = 0
        self.problem: str | None = None
        """None: a clock does not break."""
        self.finished = threading.Event()
        """The last part was triggered."""

    def run(self, stop: threading.Event) -> None:
        """The trigger's thread."""
        given = 0
        due_ns = time.monotonic_ns()
        while self._parts is None or given < self._parts:
            if stop.wait(max(0.0, (due_ns - time.monotonic_ns()) / 1e9)):
                return
            now_ns = time.monotonic_ns()
            self._trigger(now_ns)
            given += 1
            due_ns += self._takt_ns
            missed = (now_ns - due_ns) // self._takt_ns
            if missed > 0:
                self.skipped += missed
                due_ns += missed * self._takt_ns
                logger.warning("The computer slept through %d ticks of the timer trigger.", missed)
        self.finished.set()
