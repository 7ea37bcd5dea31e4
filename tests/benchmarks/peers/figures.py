"""What is said of a stretch of answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.peers.load import Record


@dataclass(frozen=True)
class Point:
    """Answers of some clients in some seconds."""

    rps: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    gap_ms: float
    """The longest time in which nobody was answered."""
    count: int
    errors: int


def point(records: Sequence[Record], begin_s: float = -math.inf, end_s: float = math.inf) -> Point:
    """Of what was under way between two moments (monotonic)."""
    ended = np.concatenate([record.ended_s for record in records])
    took = np.concatenate([record.took_s for record in records])
    good = np.concatenate([record.which >= 0 for record in records])
    inside = (ended >= begin_s) & (ended - took <= end_s)
    answered = took[inside & good] * 1e3
    times = np.sort(ended[good])
    gaps = np.diff(times)[(times[1:] >= begin_s) & (times[:-1] <= end_s)] * 1e3
    errors = int((inside & ~good).sum())
    if not len(answered) or not len(gaps):
        return Point(0.0, math.nan, math.nan, math.nan, math.nan, len(answered), errors)
    p50, p99 = np.percentile(answered, [50, 99])
    span_s = min(end_s, times[-1]) - max(begin_s, (ended - took).min())
    return Point(
        rps=len(answered) / span_s,
        p50_ms=float(p50),
        p99_ms=float(p99),
        worst_ms=float(answered.max()),
        gap_ms=float(gaps.max()),
        count=len(answered),
        errors=errors,
    )


class Bars:
    """What was asked for beside what was measured; what was not measured is left out."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, str]] = []

    def at_most(self, what: str, value: float, bar: float, unit: str = "") -> None:
        self._rows.append((what, f"{value:.3g}{unit} (at most {bar:g})", "ok" if value <= bar else "MISSED"))

    def at_least(self, what: str, value: float, bar: float, unit: str = "") -> None:
        self._rows.append((what, f"{value:.3g}{unit} (at least {bar:g})", "ok" if value >= bar else "MISSED"))

    def print(self) -> None:
        print("\nasked for:")
        for what, value, verdict in self._rows:
            print(f"  {verdict:<7} {what:<72} {value}")
