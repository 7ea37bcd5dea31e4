"""So many a second, and no more: a bucket of tokens. Pure; owned by one thread."""


class Pace:
    """A few at once are let through; then so many a second."""

    def __init__(self, per_s: float, at_once: int) -> None:
        """`at_once`: tokens in the full bucket, 1 or more."""
        self._per_s = per_s
        self._most = float(at_once)
        self._tokens = float(at_once)
        self._at_s = 0.0

    def take(self, now_s: float) -> float:
        """Take a token. Returns the seconds to wait before going on: 0 where one was there.

        `now_s`: monotonic clock, seconds. The token is taken either way, so who comes next waits longer.
        """
        elapsed_s = max(0.0, now_s - self._at_s) if self._at_s else 0.0
        self._at_s = now_s
        self._tokens = min(self._most, self._tokens + elapsed_s * self._per_s) - 1.0
        return max(0.0, -self._tokens / self._per_s)
