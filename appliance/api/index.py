"""What the page at `/` shows: every figure as the text that it has there. How it looks is in page.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import accumulate
from typing import Any, Final

from appliance.api import deliveries
from appliance.api.board import MqttStatus, Overview
from appliance.health import DeviceHealth
from appliance.outbox.consumers import ConsumerLag
from appliance.status import (
    LATENCY_BUCKETS_MS,
    NEARLY_FULL,
    CameraStatus,
    Histogram,
    LineStatus,
    ModelStatus,
    OutboxStatus,
    RecipeStatus,
)

RELOAD_S: Final = 5

ENDPOINTS: Final = (
    ("/healthz", "device health, its reasons, and all of the above as JSON; 503 on FAILURE", True),
    ("/livez", "200 while the line reports", True),
    ("/readyz", "200 while a part that came now would be judged", True),
    ("/recipes", "which recipe is in force on each camera; PUT /recipe or /cameras/NAME/recipe changes it", True),
    ("/cameras/NAME/trigger", "POST: a part is there, for cameras that commands trigger", False),
    ("/deployments", "how models come onto this box; POST there and below changes it", True),
    ("/v1/models/NAME", "state of a model's versions, as TensorFlow Serving answers it", False),
    ("/metrics", "figures for Prometheus", True),
    ("/asyncapi.json", "everything that this box says and reads over MQTT, as AsyncAPI 3.0", True),
    ("/schema/", "JSON Schemas of all of it: /schema/result.json and others", True),
    ("/schema/result.json", "JSON Schema of an inspection result", True),
)
"""Path, what it answers, and whether the path can be followed as it stands."""

_MEANING: Final = {
    DeviceHealth.NORMAL: "Everything is as it should be.",
    DeviceHealth.MAINTENANCE_REQUIRED: "It works. Somebody should look at it at the next chance.",
    DeviceHealth.OFF_SPEC: "It works outside of what it was specified for.",
    DeviceHealth.CHECK_FUNCTION: "It is not inspecting for now, on purpose.",
    DeviceHealth.FAILURE: "Parts that come now are not judged, or their results are not kept. They count as failed.",
}
_EVALUATIONS: Final = ("OK", "NotDecidable", "NotOK", "Undefined")
_REASONS_SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class Share:
    """One piece of a whole, for a bar of the page."""

    name: str
    count: str
    percent: float


def view(overview: Overview, version: str) -> dict[str, Any]:
    """What the template shows, with every figure as the text it has on the page."""
    line = overview.line
    return {
        "reload_s": RELOAD_S,
        "version": version,
        "station": "inspection appliance" if line is None else line.station,
        "at": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ"),
        "health": overview.device_health.value,
        "meaning": _MEANING[overview.device_health],
        "since": _moment(overview.since_utc),
        "ready": overview.ready,
        "reasons": overview.reasons,
        "last_heard": None if overview.live or overview.line_age_s is None else _duration(overview.line_age_s),
        "cameras": [] if line is None else _cameras(line),
        "models": [] if line is None else [_model(one) for one in line.models],
        "outbox": None if line is None or line.outbox is None else _outbox(line.outbox),
        "mqtt": None if overview.mqtt is None else _broker(overview.mqtt),
        "consumers": [_consumer(one) for one in overview.consumers],
        "deliveries": [] if overview.deliveries is None else deliveries.view(overview.deliveries.document),
        "memory": "" if line is None else _size(line.resident_bytes),
        "started": "" if line is None else _moment(line.started_utc),
        "endpoints": ENDPOINTS,
    }


def _cameras(line: LineStatus) -> list[dict[str, Any]]:
    """The cameras, each with its recipe; then the groups, whose results combine theirs."""
    recipes = {one.camera: _recipe(one) for one in line.recipes}
    cameras = [_camera(name, one, recipes.get(name)) for name, one in line.cameras.items()]
    return cameras + [_camera(name, one, None) | {"is_group": True} for name, one in line.groups.items()]


def _recipe(one: RecipeStatus) -> dict[str, Any]:
    return {
        "name": one.recipe,
        "job": one.job_id,
        "since": _moment(one.since_utc),
        "others": [name for name in one.recipes if name != one.recipe],
        "refused": one.refused,
    }


def _camera(name: str, one: CameraStatus, recipe: dict[str, Any] | None) -> dict[str, Any]:
    failed_by = sorted(((reason, count) for reason, count in one.reasons.items() if count), key=_by_count, reverse=True)
    return {
        "name": name,
        "state": one.state,
        "detail": one.detail,
        "parts": _number(one.parts),
        "passed": f"{100 * one.passed / one.parts:.1f} %" if one.parts else "–",
        "missed": _number(one.deadline_missed),
        "has_missed": one.deadline_missed > 0,
        "slowest": _quantile(one.latency.get("total", Histogram()), 0.99),
        "recipe": recipe,
        "frame_age": _quantile(one.latency.get("frame_age", Histogram()), 0.99),
        "lost": _number(one.lost),
        "has_lost": one.lost > 0,
        "skipped": _number(one.skipped),
        "device": " ".join(part for part in (one.driver, one.model, one.serial) if part),
        "notes": one.notes,
        "shares": _shares(one),
        "failed_by": [(reason, _number(count)) for reason, count in failed_by[:_REASONS_SHOWN]],
        "more": max(0, len(failed_by) - _REASONS_SHOWN),
    }


def _shares(one: CameraStatus) -> Sequence[Share]:
    counts = [(name, one.evaluations.get(name, 0)) for name in _EVALUATIONS]
    whole = sum(count for _, count in counts)
    return [Share(name, _number(count), 100 * count / whole) for name, count in counts if count]


def _by_count(item: tuple[str, int]) -> int:
    return item[1]


def _quantile(histogram: Histogram, share: float) -> str:
    """The bound below which this share of the parts was, as far as the buckets tell."""
    below = list(accumulate(histogram.counts))
    if not below or not below[-1]:
        return "–"
    bucket = next(number for number, count in enumerate(below) if count >= share * below[-1])
    if bucket == len(LATENCY_BUCKETS_MS):
        return f"> {LATENCY_BUCKETS_MS[-1]:g} ms"
    return f"≤ {LATENCY_BUCKETS_MS[bucket]:g} ms"


def _model(one: ModelStatus) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.version,
        "state": one.state,
        "engine": one.engine or "–",
        "note": one.error or one.engine_reason or "",
        "failed": one.error is not None,
        "digest": (one.digest or "")[:19],
    }


def _outbox(one: OutboxStatus) -> dict[str, Any]:
    return {
        "accepting": one.accepting,
        "problem": one.problem,
        "pending": _number(one.pending),
        "size": _size(one.pending_bytes),
        "oldest": _duration(one.oldest_age_s) if one.pending else "–",
        "recorded": _number(one.recorded_total),
        "lost": _number(one.lost_total),
        "has_lost": one.lost_total > 0,
        "share": _share(one.pending_bytes, one.max_bytes),
        "kept_share": _share(one.kept_bytes, one.max_bytes),
        "is_filling": one.pending_bytes > NEARLY_FULL * one.max_bytes > 0,
        "max": _size(one.max_bytes) if one.max_bytes else "",
        "kept": _number(one.kept),
        "unconfirmed": _number(one.unconfirmed_total) if one.unconfirmed_total else None,
        "kept_size": _size(one.kept_bytes),
        "kept_age": _duration(one.kept_age_s) if one.kept and one.kept_age_s is not None else "–",
    }


def _share(part: int, whole: int) -> float:
    return min(100.0, 100 * part / whole) if whole else 0.0


def _broker(one: MqttStatus) -> dict[str, Any]:
    return {
        "connected": one.connected,
        "broker": one.broker,
        "since": None if one.connected_since is None else _moment(one.connected_since),
        "problem": one.problem,
        "notices": one.notices,
        "taken": _number(one.acknowledged_total),
        "refused": _number(one.refused_total),
        "has_refused": one.refused_total > 0,
        "unheard": _number(one.unheard_total) if one.unheard_total else None,
        "rate": f"{one.taken_per_s:.3g}/s",
    }


def _consumer(one: ConsumerLag) -> dict[str, Any]:
    return {
        "name": one.consumer,
        "camera": one.camera,
        "sequence": None if one.confirmed is None else _number(one.confirmed.sequence),
        "results": _number(one.results),
        "behind": _duration(one.behind_s) if one.results else "–",
        "is_late": one.is_late,
    }


def _moment(utc: str) -> str:
    return utc.replace("T", " ")[:19] + "Z"


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\N{THIN SPACE}")


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def _duration(length_s: float) -> str:
    if length_s < 120:
        return f"{length_s:.0f} s"
    if length_s < 7200:
        return f"{length_s / 60:.0f} min"
    return f"{length_s / 3600:.0f} h"
