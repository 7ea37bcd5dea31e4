"""How fast bytes may come, and how slowly they may not. Time comes from outside."""

import threading
import time
from collections.abc import Callable

from appliance.registry.errors import Refusal, Rejected


class RateLimiter:
    """A token bucket for all downloads of the process. Threads: any; they share the rate.

    `now` and `pause`: a clock in seconds, and how to wait on it.
    """

    def __init__(
        self,
        bytes_per_s: float,
        *,
        burst_bytes: int | None = None,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_s
        self._burst = burst_bytes if burst_bytes is not None else max(65_536, int(bytes_per_s / 4))
        self._now = now
        self._pause = pause
        self._lock = threading.Lock()
        self._tokens = float(self._burst)
        self._at = now()

    def take(self, count: int) -> float:
        """`count` bytes came: wait until the rate allows the next; returns the seconds waited."""
        with self._lock:
            now = self._now()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - count
            self._at = now
            wait_s = max(0.0, -self._tokens / self._rate)
        if wait_s:
            self._pause(wait_s)
        return wait_s


class SlowWatch:
    """Refuses a download that comes, but too slowly: the attack that never ends.

    Only time in which bytes were awaited counts, not what a limiter waited.
    """

    def __init__(self, min_bytes_per_s: float, window_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._min = min_bytes_per_s
        self._window_s = window_s
        self._now = now
        self._since = now()
        self._bytes = 0

    def came(self, count: int, waited_s: float = 0.0) -> None:
        """`count` more bytes; `waited_s` of the time was ours. Raises: Rejected(TOO_SLOW)."""
        self._bytes += count
        self._since += waited_s
        elapsed_s = self._now() - self._since
        if elapsed_s < self._window_s:
            return
        rate = self._bytes / elapsed_s
        if rate < self._min:
            raise Rejected(
                Refusal.TOO_SLOW,
                f"The download came with {rate / 1000:.2f} kB/s for {elapsed_s:.0f} s, and "
                f"delivery.min_rate_kb_s asks for {self._min / 1000:g}; look at the link or lower it.",
            )
        self.restart()

    def restart(self) -> None:
        """The link was dead for a while: that is its fault, and no attack."""
        self._since = self._now()
        self._bytes = 0
