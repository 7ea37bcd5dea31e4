"""When an interval ends, and what came to it: the line's side of the summary."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from appliance.figures import Counted, Interval
from appliance.inspection.result import rfc3339

INTERVAL_MAX_BYTES: Final = 150_000
"""Of an interval on its way to the gateway. Eight cameras with 64 labels each have some 110,000 bytes."""

_Views = tuple[dict[str, Counted], dict[str, Counted]]


class Intervals:
    """One thread. An interval that cannot be told becomes one with the next."""

    def __init__(
        self,
        period_s: float,
        end: Callable[[], _Views],
        send: Callable[[bytes], bool],
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`end` ends the interval of (cameras, groups); `send` says whether the gateway has it."""
        self._period_ns = round(period_s * 1e9)
        self._end = end
        self._send = send
        self._clock_ns = clock_ns
        self._utc_ns = utc_ns
        self._begin_ns = self._next_ns = clock_ns()
        self._next_ns += self._period_ns
        self._begin_utc = rfc3339(utc_ns())
        self._untold: _Views = {}, {}

    def left_s(self) -> float:
        """Until the interval ends; 0 where it is time."""
        return max(0.0, (self._next_ns - self._clock_ns()) / 1e9)

    def tell(self, *, clock_synchronized: bool | None) -> None:
        """End the interval now."""
        now_ns, now_utc = self._clock_ns(), rfc3339(self._utc_ns())
        while self._next_ns <= now_ns:
            self._next_ns += self._period_ns
        cameras, groups = self._end()
        self._untold = _joined(self._untold[0], cameras), _joined(self._untold[1], groups)
        interval = Interval(
            self._begin_utc, now_utc, (now_ns - self._begin_ns) / 1e6, clock_synchronized, *self._untold
        )
        raw = interval.to_json()
        if len(raw) > INTERVAL_MAX_BYTES:
            few = {name: one.without_scores() for name, one in interval.cameras.items()}
            raw = replace(interval, cameras=few).to_json()
        if self._send(b"interval\n" + raw):
            self._begin_ns, self._begin_utc = now_ns, now_utc
            self._untold = {}, {}


def _joined(before: Mapping[str, Counted], now: Mapping[str, Counted]) -> dict[str, Counted]:
    return {name: before[name].plus(one) if name in before else one for name, one in now.items()}
