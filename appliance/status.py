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

NEARLY_FULL: Final = 0.8
"""Of the outbox's bound: when results that wait take more, somebody should look why the broker takes none."""

STAGES: Final = ("acquisition", "queue", "preprocess", "inference", "total", "recorded", "frame_age")
"""What is timed for each part. `total` ends with the verdict; `recorded` is from the verdict to the disk; `frame_age`
is from the end of the exposure to the verdict."""


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
    lost: int = 0
    """Parts of which the camera's pictures never came (FRAME_MISSING)."""
    skipped: int = 0
    """Pictures of a free-running camera that were passed over because a newer one was there; no parts."""
    counters: dict[str, int] = field(default_factory=dict)
    """What the driver has counted since it opened the camera."""
    recipe: str = ""
    """In force now."""
    job_id: str | None = None
    driver: str = ""
    model: str = ""
    """What the camera says it is."""
    serial: str = ""
    notes: list[str] = field(default_factory=list)
    """Sentences on what is not as it should be with the camera, and does not forbid to run."""
    latency: dict[str, Histogram] = field(default_factory=lambda: {stage: Histogram() for stage in STAGES})


@dataclass(frozen=True, slots=True)
class RecipeStatus:
    """The recipe in force on one camera."""

    camera: str
    recipe: str
    job_id: str | None
    """What the plant calls this order."""
    since_utc: str
    """RFC 3339; of the changeover, or of the start."""
    config_id: str
    deadline_ms: float
    recipes: list[str]
    """What it may be switched to; the one in force among them."""
    refused: str | None = None
    """Why the last changeover was refused; one sentence. None where it was not."""


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
    release: int | None = None
    """Of a delivered model: the release that this version is."""
    is_pointer: bool = False
    """Of a delivered model: parts and requests without a version get this one."""


@dataclass(frozen=True, slots=True)
class ReleaseStatus:
    """One release of a delivered model that the line has loaded, loads, or failed to load."""

    release: int
    """0: the factory's, without a signed statement."""
    version: int
    digest: str | None
    """`sha256:...` as recorded in the store; None for the factory's folder before it is loaded."""
    state: str
    """START, LOADING, AVAILABLE, UNLOADING or END, as in ModelStatus."""
    error: str | None = None
    """Why it ended, or why it cannot be loaded."""


@dataclass(slots=True)
class ReleaseTally:
    """Parts since this release became the pointer."""

    release: int
    version: int
    since_utc: str
    """RFC 3339."""
    parts: int = 0
    """That the release judged, or should have."""
    passed: int = 0
    undefined: int = 0
    """Ended Undefined because of the model: MODEL_FAILED, MODEL_UNFIT, NO_MODEL."""
    late: int = 0
    """Had no verdict by their deadline."""


@dataclass(slots=True)
class CanaryStatus:
    """What the candidate said of parts that the serving model judges, while a canary runs."""

    release: int
    version: int
    since_utc: str
    parts: int = 0
    """Judged by both."""
    new_rejects: int = 0
    """Passed by the serving model, and not by the candidate: these failed."""
    new_passes: int = 0
    """Failed by the serving model, and passed by the candidate: these failed too."""
    failed: int = 0
    """The candidate gave an error, or scores that are no scores."""
    skipped: int = 0
    """The time left did not allow a second opinion."""


@dataclass(slots=True)
class FeedStatus:
    """The frames that the examiner sees, while a shadow runs."""

    offered: int = 0
    """Parts judged meanwhile."""
    taken: int = 0
    """Frames handed over."""
    dropped: int = 0
    """Frames that were not: nobody took them fast enough."""


@dataclass(frozen=True, slots=True)
class DeliveredStatus:
    """One delivered model on the line."""

    pointer: ReleaseStatus | None
    """What parts and requests without a version get; None where nothing serves."""
    current: int | None
    """The release that the disk's `current` names; None without one."""
    loaded: list[ReleaseStatus]
    """All that the line was asked to hold, the pointer among them."""
    swaps: int
    """How often the pointer has moved since the start; the first time counts."""
    swap_ms: float | None
    """How long the last move of the pointer took: one store of another map."""
    noticed_ms: float | None
    """From hearing of the last move to having done it; with the reading of the disk."""
    tallies: dict[str, ReleaseTally]
    """By release (in digits, as JSON's keys are text): since it was last made the pointer."""
    canary: CanaryStatus | None = None
    """None: no canary."""
    feed: FeedStatus | None = None
    """None: no shadow."""
    code: str | None = None
    """Why the pointer is not what `current` names, in health's words; None where all is well."""
    problem: str | None = None
    """The same as a sentence."""


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """What is recorded: what waits for the broker, and what is kept after it."""

    accepting: bool
    problem: str | None
    pending: int
    """Not yet acknowledged by the broker."""
    pending_bytes: int
    oldest_age_s: float
    recorded_total: int
    lost_total: int
    kept: int = 0
    """Acknowledged, and kept for being read and sent again."""
    kept_bytes: int = 0
    kept_age_s: float | None = None
    """Since the oldest of those was recorded; None where none is kept, or nobody knows."""
    max_bytes: int = 0
    """What both together may take."""
    state: str = ""
    """The writer's: RECORDING when all is well."""
    unconfirmed_total: int = 0
    """Of those kept, given up for room since the start although a named consumer had not confirmed them."""


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
    deliveries: dict[str, DeliveredStatus] = field(default_factory=dict)
    """By model: those whose versions come from a registry."""
    recipes: list[RecipeStatus] = field(default_factory=list)
    """What is in force on each camera, in the configuration's order."""
    groups: dict[str, CameraStatus] = field(default_factory=dict)
    """Combined results, by group; their parts are in `cameras` too, once for each view."""

    @property
    def sentence(self) -> str:
        """What `systemctl status` shows."""
        parts = sum(camera.parts for camera in self.cameras.values())
        passed = sum(camera.passed for camera in self.cameras.values())
        serving = [model for model in self.models if model.state == "AVAILABLE"]
        versions = ", ".join(f"{model.name} {model.version} ({model.engine})" for model in serving)
        cameras = ", ".join(f"{name} {camera.state}" for name, camera in self.cameras.items())
        waiting = 0 if self.outbox is None else self.outbox.pending
        return (
            f"{parts} parts, {passed} passed; cameras: {cameras or 'none'}; "
            f"model: {versions or 'none'}; {waiting} results wait for the broker"
        )

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
                "deliveries": {name: _delivered(one) for name, one in value.get("deliveries", {}).items()},
                "groups": {name: _camera(one) for name, one in value.get("groups", {}).items()},
                "recipes": [RecipeStatus(**one) for one in value.get("recipes", [])],
            }
        )


def _camera(value: Mapping[str, Any]) -> CameraStatus:
    latency = {stage: Histogram(**one) for stage, one in value["latency"].items()}
    return CameraStatus(**{**value, "latency": latency})


def _delivered(value: Mapping[str, Any]) -> DeliveredStatus:
    pointer, canary, feed = value["pointer"], value["canary"], value["feed"]
    return DeliveredStatus(
        **{
            **value,
            "pointer": None if pointer is None else ReleaseStatus(**pointer),
            "loaded": [ReleaseStatus(**one) for one in value["loaded"]],
            "tallies": {release: ReleaseTally(**one) for release, one in value["tallies"].items()},
            "canary": None if canary is None else CanaryStatus(**canary),
            "feed": None if feed is None else FeedStatus(**feed),
        }
    )
