"""What the line tells the gateway about itself: one whole snapshot, twice a second and at every change.

The snapshot crosses a process boundary as JSON. It is whole, not a delta: the gateway shows the newest and
forgets the rest, so a lost one does no harm.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from appliance.health import Reason

LATENCY_BUCKETS_MS: Final = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 200.0, 500.0)
"""Upper bounds of the latency histograms, milliseconds; one more bucket above the last."""

STAGES: Final = ("acquisition", "queue", "preprocess", "inference", "total", "recorded")
"""What is timed for each part. `total` ends with the verdict; `recorded` is from the verdict to the disk."""


@dataclass(slots=True)
class Histogram:
    """Counts per bucket of `LATENCY_BUCKETS_MS`, with sum and count. One writer; a reader may see it torn by one."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS_MS) + 1))
    sum_ms: float = 0.0

    def add(self, value_ms: float) -> None:
        """Count one value; under a microsecond."""
        bucket = 0
        for bound in LATENCY_BUCKETS_MS:
            if value_ms <= bound:
                break
            bucket += 1
        self.counts[bucket] += 1
        self.sum_ms += value_ms


@dataclass(slots=True)
class CameraStatus:
    """One camera and the parts that passed it since the start."""

    state: str = "offline"
    """online, offline, frozen or disabled."""
    detail: str = ""
    """Why it is not online; one sentence."""
    parts: int = 0
    passed: int = 0
    evaluations: dict[str, int] = field(default_factory=dict)
    """Parts by evaluation: OK, NotOK, NotDecidable, Undefined."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Parts that did not pass, by reason code."""
    deadline_missed: int = 0
    latency: dict[str, Histogram] = field(default_factory=lambda: {stage: Histogram() for stage in STAGES})


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One version as the Manager sees it."""

    name: str
    version: int
    state: str
    """START, LOADING, AVAILABLE, UNLOADING or END: TensorFlow Serving's words."""
    error: str | None
    """Why it ended, where it did not end by wish."""
    engine: str | None
    """Which engine serves it, once it does."""
    engine_reason: str | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """What is recorded and not yet acknowledged by the broker."""

    accepting: bool
    problem: str | None
    pending: int
    pending_bytes: int
    oldest_age_s: float
    recorded_total: int
    lost_total: int


@dataclass(frozen=True, slots=True)
class LineStatus:
    """The line as a whole, at one moment."""

    at_ns: int
    """CLOCK_MONOTONIC of the line's process, nanoseconds; the same clock in every process of the box."""
    started_utc: str
    station: str
    phase: str
    """starting, running or stopping."""
    reasons: list[Reason]
    cameras: dict[str, CameraStatus]
    models: list[ModelStatus]
    outbox: OutboxStatus | None
    resident_bytes: int
    takes_parts: bool
    """A part that came now would be judged: camera online, model available, outbox accepting."""

    def to_json(self) -> bytes:
        """As it crosses to the gateway."""
        value = asdict(self)
        value["reasons"] = [reason.as_json() for reason in self.reasons]
        return json.dumps(value, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, raw: bytes) -> "LineStatus":
        """The inverse of `to_json`; only ever given what another process of this box wrote."""
        value: dict[str, Any] = json.loads(raw)
        outbox = value["outbox"]
        return cls(
            **{
                **value,
                "reasons": [Reason.from_json(one) for one in value["reasons"]],
                "cameras": {name: _camera(one) for name, one in value["cameras"].items()},
                "models": [ModelStatus(**one) for one in value["models"]],
                "outbox": None if outbox is None else OutboxStatus(**outbox),
            }
        )


def _camera(value: Mapping[str, Any]) -> CameraStatus:
    latency = {stage: Histogram(**one) for stage, one in value["latency"].items()}
    return CameraStatus(**{**value, "latency": latency})
