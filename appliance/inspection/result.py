"""One part's result: OPC 40100-1's words, and the flat object that subscribers read."""

import enum
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

SCHEMA_VERSION: Final = 1
SCHEMA_PATH: Final = Path(__file__).with_name("result.schema.json")
"""The JSON Schema that every published result obeys."""


class Evaluation(enum.Enum):
    """What the box found."""

    OK = "OK"
    """Within all limits."""
    NOT_OK = "NotOK"
    """A defect at or above its limit."""
    NOT_DECIDABLE = "NotDecidable"
    """Between the limits: a person decides, at the recheck lane."""
    UNDEFINED = "Undefined"
    """The box could not judge this part."""

    @property
    def verdict(self) -> str:
        """What the reject gate reads: `pass` for OK and for nothing else."""
        return "pass" if self is Evaluation.OK else "fail"

    @property
    def severity(self) -> int:
        """0 for OK; the higher, the worse: of several views or regions the worst says what the part is."""
        return _SEVERITY.index(self)


_SEVERITY: Final = (Evaluation.OK, Evaluation.NOT_DECIDABLE, Evaluation.UNDEFINED, Evaluation.NOT_OK)


class Reason(enum.Enum):
    """Why a part did not pass. Stable: programs compare these words."""

    CLASS_ABOVE_LIMIT = "CLASS_ABOVE_LIMIT"
    """A defect's score reached its limit (NotOK)."""
    BETWEEN_LIMITS = "BETWEEN_LIMITS"
    """Neither good enough to pass nor bad enough to fail (NotDecidable)."""
    CANARY_REJECTED = "CANARY_REJECTED"
    """The model that serves would have said better; a candidate on trial beside it did not."""
    DEADLINE_EXPIRED = "DEADLINE_EXPIRED"
    """No verdict when the part had to be decided."""
    TRIGGER_OVERLAPPED = "TRIGGER_OVERLAPPED"
    """The trigger came while the camera was busy with the part before; nothing was photographed."""
    TRIGGER_MISSED = "TRIGGER_MISSED"
    """The box did not notice the trigger in time; nothing was photographed."""
    FRAME_MISSING = "FRAME_MISSING"
    """The trigger was given, and no picture came."""
    FRAME_INCOMPLETE = "FRAME_INCOMPLETE"
    FRAME_CORRUPT = "FRAME_CORRUPT"
    FRAME_STALE = "FRAME_STALE"
    FRAME_FROZEN = "FRAME_FROZEN"
    """The camera sent the same picture again, to the last bit."""
    FRAME_UNEXPECTED = "FRAME_UNEXPECTED"
    """A picture came that no trigger had asked for: a part may have passed that the triggers do not know of."""
    FRAME_UNFIT = "FRAME_UNFIT"
    """The picture is not what the recipe was made for: its size, its colours."""
    FRAME_TOO_DARK = "FRAME_TOO_DARK"
    FRAME_TOO_BRIGHT = "FRAME_TOO_BRIGHT"
    FRAME_LOW_CONTRAST = "FRAME_LOW_CONTRAST"
    FRAME_BLURRED = "FRAME_BLURRED"
    FRAME_UNFAMILIAR = "FRAME_UNFAMILIAR"
    """It is not like the good pictures that the recipe's limits were learnt from: no part, or not in its place."""
    CAMERA_LOST = "CAMERA_LOST"
    STATION_BUSY = "STATION_BUSY"
    """Parts came faster than they could be judged."""
    NO_MODEL = "NO_MODEL"
    MODEL_UNFIT = "MODEL_UNFIT"
    """The model that serves does not fit the recipe."""
    MODEL_FAILED = "MODEL_FAILED"
    """The model gave an error, or scores that are no scores."""
    NOT_RECORDED = "NOT_RECORDED"
    """Results cannot be kept at present; an unrecorded part does not pass."""
    STOPPING = "STOPPING"
    """The box was being stopped when the part came."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class's score, 0..1; `region` where a part is judged in several regions."""

    label: str
    score: float
    region: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As subscribers read it."""
        value: dict[str, Any] = {"label": self.label, "score": round(self.score, 6)}
        if self.region is not None:
            value["region"] = self.region
        return value


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """Which version judged."""

    name: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Times:
    """Where the time went, milliseconds. None where that step was not reached."""

    acquisition_ms: float | None
    """Trigger to frame handed over."""
    queue_ms: float | None
    """Frame handed over to its inspection begun."""
    inference_ms: float | None
    """The model call alone."""
    total_ms: float
    """Trigger to verdict known."""
    frame_age_ms: float | None = None
    """End of exposure to the verdict: how old the picture is that it speaks of."""


@dataclass(frozen=True, slots=True)
class RegionFound:
    """What was found in one region of a part that has several."""

    region: str
    evaluation: Evaluation
    label: str | None
    """The class that decided, or scored highest; None where it could not be judged."""
    score: float | None

    def as_json(self) -> dict[str, Any]:
        """As subscribers read it."""
        score = None if self.score is None else round(self.score, 6)
        return {"region": self.region, "evaluation": self.evaluation.value, "label": self.label, "score": score}


@dataclass(frozen=True, slots=True)
class View:
    """One camera's, or one exposure's, part in a combined result."""

    camera: str
    trigger_id: int
    evaluation: Evaluation
    reason: Reason | None

    def as_json(self) -> dict[str, Any]:
        """As subscribers read it."""
        return {
            "camera": self.camera,
            "trigger_id": self.trigger_id,
            "evaluation": self.evaluation.value,
            "reason": None if self.reason is None else self.reason.value,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What is said about one part. `stream` and `sequence` are the outbox's to give."""

    station: str
    camera: str
    trigger_id: int
    recipe_id: str
    config_id: str
    evaluation: Evaluation
    reason: Reason | None
    detail: str
    """For a person: why the part could not be judged, which of its regions failed, or who judged it more strictly."""
    classes: Sequence[ClassScore]
    """Highest score first."""
    model: ModelUsed | None
    exposed_utc_ns: int
    """Of the exposure; of the trigger where none was made."""
    times: Times
    deadline_ms: float
    clock_synchronized: bool | None
    """None: the system does not say."""
    is_simulated: bool
    verdict_ns: int
    """CLOCK_MONOTONIC when the verdict was known."""
    part_id: str | None = None
    """What the trigger's sender calls the part (a serial number, a data matrix code)."""
    job_id: str | None = None
    regions: Sequence[RegionFound] = ()
    """Where a part is judged in several regions: each, in the recipe's order."""
    views: Sequence[View] = ()
    """Where the result combines several cameras or exposures: each."""
    result_id: str = field(default_factory=lambda: uuid7())  # noqa: PLW0108 - it stands below
    """The same on every way by which it is told."""

    @property
    def deadline_met(self) -> bool:
        """The verdict was known before the part had to be decided."""
        return self.times.total_ms <= self.deadline_ms

    def fields(self) -> dict[str, Any]:
        """The message without `stream` and `sequence`, in the order of the design's example; about 20 µs."""
        return {
            "schema_version": SCHEMA_VERSION,
            "result_id": self.result_id,
            "station": self.station,
            "camera": self.camera,
            "part_id": self.part_id,
            "trigger_id": self.trigger_id,
            "recipe_id": self.recipe_id,
            "job_id": self.job_id,
            "config_id": self.config_id,
            "verdict": self.evaluation.verdict,
            "evaluation": self.evaluation.value,
            "reason": None if self.reason is None else self.reason.value,
            "detail": self.detail or None,
            "classes": [one.as_json() for one in self.classes],
            "regions": [one.as_json() for one in self.regions] or None,
            "views": [one.as_json() for one in self.views] or None,
            "model": self._model_fields(),
            "exposure_time_utc": rfc3339(self.exposed_utc_ns),
            "clock": {"synchronized": self.clock_synchronized},
            "processing_times": {
                "acquisition_ms": _ms(self.times.acquisition_ms),
                "queue_ms": _ms(self.times.queue_ms),
                "inference_ms": _ms(self.times.inference_ms),
                "total_ms": _ms(self.times.total_ms),
                "frame_age_ms": _ms(self.times.frame_age_ms),
            },
            "deadline_ms": self.deadline_ms,
            "deadline_met": self.deadline_met,
            "image_uri": None,
            "is_simulated": self.is_simulated,
            "replayed": False,
        }

    def _model_fields(self) -> dict[str, Any] | None:
        if self.model is None:
            return None
        return {"name": self.model.name, "version": self.model.version, "digest": self.model.digest}


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def rfc3339(utc_ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 in UTC with milliseconds and `Z`."""
    moment = datetime.fromtimestamp(utc_ns // 1_000_000_000, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{utc_ns // 1_000_000 % 1000:03d}Z"


def uuid7() -> str:
    """A version 7 UUID (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
