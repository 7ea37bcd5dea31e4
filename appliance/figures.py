"""What is counted of parts, so that it can be added up: an interval's figures and those before it are one sum.

Standard library only. Everything here is for one writer, or under its owner's lock.
"""

import json
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Final, TypeVar

_STEPS: Final = (1.0, 1.2, 1.35, 1.5, 1.75, 2.0, 2.3, 2.6, 3.0, 3.6, 4.2, 5.0, 5.7, 6.5, 7.5, 8.7)
LATENCY_BOUNDS_MS: Final = (*(round(step * 10.0**decade, 3) for decade in range(-1, 4) for step in _STEPS), 10_000.0)
"""Upper bounds of the latencies' buckets, 0.1 ms to 10 s, none more than 1.2 times the one before."""
PERCENTILE_ERROR: Final = 0.1
"""A percentile told from the buckets is within this share of the true one, between their first and last bound."""
LABELS_MAX: Final = 64
"""Of one camera, whose scores are followed; the parts of others are judged all the same."""
MODELS_MAX: Final = 16
_Key = TypeVar("_Key")


@dataclass(slots=True)
class Latency:
    """How long one stage took, by bucket."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_MS) + 1))
    """By `LATENCY_BOUNDS_MS`, and those above the last."""
    sum_ms: float = 0.0
    max_ms: float = 0.0

    def add(self, value_ms: float) -> None:
        """Count one; half a microsecond."""
        self.counts[bisect_left(LATENCY_BOUNDS_MS, value_ms)] += 1
        self.sum_ms += value_ms
        if value_ms > self.max_ms:  # noqa: PLR1730 - max() takes three times as long
            self.max_ms = value_ms

    @property
    def count(self) -> int:
        """How many were counted."""
        return sum(self.counts)

    def percentile(self, share: float) -> float | None:
        """The time within which this share (0..1) was done, milliseconds; None where none was counted.

        By nearest rank, within `PERCENTILE_ERROR`. Under the first bound it reads as that, or as the longest.
        """
        below = list(accumulate(self.counts))
        if not below[-1]:
            return None
        rank = max(1, math.ceil(share * below[-1] - 1e-9))
        bucket = bisect_left(below, rank)
        if bucket == len(LATENCY_BOUNDS_MS):
            return self.max_ms
        upper = LATENCY_BOUNDS_MS[bucket]
        middle = upper if bucket == 0 else math.sqrt(LATENCY_BOUNDS_MS[bucket - 1] * upper)
        return min(middle, self.max_ms)

    def plus(self, other: "Latency") -> "Latency":
        """Both together."""
        counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        return Latency(counts, self.sum_ms + other.sum_ms, max(self.max_ms, other.max_ms))

    def as_json(self) -> dict[str, Any]:
        """Only the buckets in use."""
        used = {str(bucket): count for bucket, count in enumerate(self.counts) if count}
        return {"counts": used, "sum_ms": self.sum_ms, "max_ms": self.max_ms}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Latency":
        """The inverse of `as_json`."""
        found = cls(sum_ms=value["sum_ms"], max_ms=value["max_ms"])
        for bucket, count in value["counts"].items():
            found.counts[int(bucket)] = count
        return found


@dataclass(slots=True)
class Moments:
    """Mean and spread of a score without the scores (Welford, 1962; sums of two: Chan, Golub, LeVeque, 1983)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of the squared distances from the mean."""
    low: float = math.inf
    high: float = -math.inf

    def add(self, value: float) -> None:
        """Count one; half a microsecond."""
        self.count += 1
        away = value - self.mean
        self.mean += away / self.count
        self.squares += away * (value - self.mean)
        if value < self.low:  # noqa: PLR1730 - as above
            self.low = value
        if value > self.high:  # noqa: PLR1730 - as above
            self.high = value

    @property
    def deviation(self) -> float:
        """The standard deviation of what was counted; 0 for one or none."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    def plus(self, other: "Moments") -> "Moments":
        """Both together."""
        count = self.count + other.count
        if not count:
            return Moments()
        away = other.mean - self.mean
        return Moments(
            count,
            self.mean + away * other.count / count,
            self.squares + other.squares + away * away * self.count * other.count / count,
            min(self.low, other.low),
            max(self.high, other.high),
        )


@dataclass(slots=True)
class Figures:
    """What the results of one camera, or group, said over some time."""

    parts: int = 0
    passed: int = 0
    evaluations: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    deadline_missed: int = 0
    latency: dict[str, Latency] = field(default_factory=dict)
    """By stage."""
    scores: dict[tuple[str, str | None], Moments] | None = field(default_factory=dict)
    """By label and region; `LABELS_MAX` of them at most. None where they are not followed."""
    models: dict[tuple[str, int], int] = field(default_factory=dict)
    """Parts judged, by model and version; `MODELS_MAX` of them at most, the newest last."""

    def copy(self) -> "Figures":
        """One that stays as it is; without the scores."""
        return Figures(
            self.parts,
            self.passed,
            dict(self.evaluations),
            dict(self.reasons),
            self.deadline_missed,
            {stage: Latency(one.counts.copy(), one.sum_ms, one.max_ms) for stage, one in self.latency.items()},
            None,
            dict(self.models),
        )

    def plus(self, other: "Figures") -> "Figures":
        """Both together; `other` is the later one."""
        models = dict(list(summed(self.models, other.models).items())[-MODELS_MAX:])
        return Figures(
            self.parts + other.parts,
            self.passed + other.passed,
            summed(self.evaluations, other.evaluations),
            summed(self.reasons, other.reasons),
            self.deadline_missed + other.deadline_missed,
            {
                stage: self.latency.get(stage, Latency()).plus(other.latency.get(stage, Latency()))
                for stage in dict.fromkeys((*self.latency, *other.latency))
            },
            _merged(self.scores, other.scores),
            models,
        )

    def as_json(self) -> dict[str, Any]:
        """As it crosses to the gateway."""
        return {
            "parts": self.parts,
            "passed": self.passed,
            "evaluations": self.evaluations,
            "reasons": self.reasons,
            "deadline_missed": self.deadline_missed,
            "latency": {stage: one.as_json() for stage, one in self.latency.items() if one.count},
            "scores": None
            if self.scores is None
            else [
                [*key, one.count, one.mean, one.squares, one.low, one.high]
                for key, one in self.scores.items()
                if one.count
            ],
            "models": [[*key, count] for key, count in self.models.items()],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Figures":
        """The inverse of `as_json`."""
        return cls(
            **{
                **value,
                "latency": {stage: Latency.from_json(one) for stage, one in value["latency"].items()},
                "scores": None
                if value["scores"] is None
                else {(label, region): Moments(*rest) for label, region, *rest in value["scores"]},
                "models": {(name, version): count for name, version, count in value["models"]},
            }
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """One camera, or group, when an interval ended."""

    total: Figures
    """Since the line's start, this interval included."""
    interval: Figures
    stream: str | None
    """Of the newest result on the disk; None before the first."""
    sequence: int | None

    def plus(self, later: "Counted") -> "Counted":
        """Its interval and the one after it, as one."""
        return Counted(later.total, self.interval.plus(later.interval), later.stream, later.sequence)

    def without_scores(self) -> "Counted":
        """Shorter."""
        total, interval = replace(self.total, scores=None), replace(self.interval, scores=None)
        return replace(self, total=total, interval=interval)


@dataclass(frozen=True, slots=True)
class Interval:
    """One interval of a station; the line says it when it has ended, and the gateway publishes it."""

    begin_utc: str
    """RFC 3339, by the wall clock as it stood then."""
    end_utc: str
    duration_ms: float
    """By the monotonic clock: right also where the wall clock was set meanwhile."""
    clock_synchronized: bool | None
    """None: the system does not say."""
    cameras: dict[str, Counted]
    groups: dict[str, Counted]

    def to_json(self) -> bytes:
        """As it crosses to the gateway."""
        return json.dumps(
            {
                "begin_utc": self.begin_utc,
                "end_utc": self.end_utc,
                "duration_ms": self.duration_ms,
                "clock_synchronized": self.clock_synchronized,
                "cameras": {name: _counted_json(one) for name, one in self.cameras.items()},
                "groups": {name: _counted_json(one) for name, one in self.groups.items()},
            },
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Interval":
        """The inverse of `to_json`; only ever given what another process of this box wrote."""
        return cls(
            **{
                **value,
                "cameras": {name: _counted(one) for name, one in value["cameras"].items()},
                "groups": {name: _counted(one) for name, one in value["groups"].items()},
            }
        )


def summed(one: Mapping[_Key, int], other: Mapping[_Key, int]) -> dict[_Key, int]:
    """Counts of both, those of `other` last."""
    found = dict(one)
    for key, count in other.items():
        found[key] = found.pop(key, 0) + count
    return found


def _merged(
    one: Mapping[tuple[str, str | None], Moments] | None, other: Mapping[tuple[str, str | None], Moments] | None
) -> dict[tuple[str, str | None], Moments] | None:
    if one is None or other is None:
        return None
    labels = list(dict.fromkeys((*other, *one)))[:LABELS_MAX]  # the newest, where there are too many
    return {label: one.get(label, Moments()).plus(other.get(label, Moments())) for label in labels}


def _counted_json(one: Counted) -> dict[str, Any]:
    return {
        "total": one.total.as_json(),
        "interval": one.interval.as_json(),
        "stream": one.stream,
        "sequence": one.sequence,
    }


def _counted(value: Mapping[str, Any]) -> Counted:
    return Counted(
        Figures.from_json(value["total"]), Figures.from_json(value["interval"]), value["stream"], value["sequence"]
    )
