"""How long to wait before the next attempt."""

import random


class Backoff:
    """Doubles from `first_s` to `last_s` seconds; `jitter` spreads boxes that lost the same broker at once."""

    def __init__(self, first_s: float, last_s: float, *, jitter: float = 0.0) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._jitter = jitter
        self._wait_s = first_s

    def next_s(self) -> float:
        """The seconds to wait now, at most `jitter` more or less (as a part of 1)."""
        wait_s = self._wait_s
        self._wait_s = min(self._wait_s * 2, self._last_s)
        return wait_s * (1 + random.uniform(-self._jitter, self._jitter))  # noqa: S311 - not a secret

    def reset(self) -> None:
        """It worked: begin with the shortest again."""
        self._wait_s = self._first_s
