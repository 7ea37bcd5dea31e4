"""`<base>/summary`: each minute what the line did, for those who do not read every result. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance import binomial
from appliance.figures import Counted, Figures, Interval, Latency
from appliance.status import CameraStatus, LineStatus, OutboxStatus

TOPIC: Final = "summary"
SCHEMA_VERSION: Final = 1
SCHEMA_PATH: Final = Path(__file__).with_name("schemas") / "summary.schema.json"
"""The JSON Schema that every summary obeys."""

_EVALUATIONS: Final = ("OK", "NotOK", "NotDecidable", "Undefined")
_RATES: Final = {
    "first_pass_yield": "OK",
    "reject": "NotOK",
    "undecided": "NotDecidable",
    "undefined": "Undefined",
}
"""Which evaluation's share each rate is."""
_STAGES: Final = ("total", "inference", "recorded", "frame_age")


@dataclass(frozen=True, slots=True)
class BrokerFigures:
    """The connection to the broker, as the gateway sees it."""

    connected: bool
    connected_since: str | None
    """RFC 3339; None while it is not connected."""
    since: str
    """RFC 3339: the gateway's start, with which its totals begin."""
    published_total: int
    refused_total: int


def summary(interval: Interval, line: LineStatus, broker: BrokerFigures) -> dict[str, Any]:
    """The message, as `SCHEMA_PATH` describes it.

    Cost: well under a millisecond a camera; some 100 ms from ten million parts on.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "station": line.station,
        "since": line.started_utc,
        "interval": {
            "begin": interval.begin_utc,
            "end": interval.end_utc,
            "duration_ms": round(interval.duration_ms, 1),
        },
        "clock": {"synchronized": interval.clock_synchronized},
        "cameras": {name: _camera(one, line.cameras.get(name)) for name, one in interval.cameras.items()},
        "groups": {name: _camera(one, line.groups.get(name)) for name, one in interval.groups.items()},
        "outbox": None if line.outbox is None else _outbox(line.outbox),
        "broker": {
            "connected": broker.connected,
            "connected_since": broker.connected_since,
            "since": broker.since,
            "published_total": broker.published_total,
            "refused_total": broker.refused_total,
        },
    }


def _camera(counted: Counted, status: CameraStatus | None) -> dict[str, Any]:
    return {
        "state": None if status is None else status.state,
        "recipe_id": None if status is None else status.recipe or None,
        "job_id": None if status is None else status.job_id,
        "stream": counted.stream,
        "sequence": counted.sequence,
        "total": _figures(counted.total),
        "interval": _figures(counted.interval),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "parts": figures.parts,
        "passed": figures.passed,
        "evaluations": {name: figures.evaluations.get(name, 0) for name in _EVALUATIONS},
        "reasons": figures.reasons,
        "deadline_missed": figures.deadline_missed,
        "rates": {name: _rate(figures.evaluations.get(one, 0), figures.parts) for name, one in _RATES.items()},
        "latency": {stage: _latency(figures.latency.get(stage)) for stage in _STAGES},
        "models": [
            {"name": name, "version": version, "parts": parts} for (name, version), parts in figures.models.items()
        ],
        "scores": None if figures.scores is None else _scores(figures),
    }


def _scores(figures: Figures) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "region": region,
            "count": one.count,
            "mean": round(one.mean, 6),
            "standard_deviation": round(one.deviation, 6),
            "min": round(one.low, 6),
            "max": round(one.high, 6),
        }
        for (label, region), one in (figures.scores or {}).items()
        if one.count
    ]


def _rate(hits: int, parts: int) -> Mapping[str, float | None]:
    low, high = binomial.bounds(hits, parts)
    return {"value": round(hits / parts, 6) if parts else None, "low": round(low, 6), "high": round(high, 6)}


def _latency(latency: Latency | None) -> dict[str, Any] | None:
    if latency is None or not (count := latency.count):
        return None
    percentiles = {f"p{percent}_ms": round(latency.percentile(percent / 100) or 0.0, 3) for percent in (50, 95, 99)}
    return {
        "count": count,
        "mean_ms": round(latency.sum_ms / count, 3),
        **percentiles,
        "max_ms": round(latency.max_ms, 3),
    }


def _outbox(outbox: OutboxStatus) -> dict[str, Any]:
    waiting = outbox.pending
    return {
        "state": outbox.state or None,
        "accepting": outbox.accepting,
        "waiting": waiting,
        "waiting_bytes": outbox.pending_bytes,
        "max_bytes": outbox.max_bytes,
        "waiting_share": round(outbox.pending_bytes / outbox.max_bytes, 4) if outbox.max_bytes else 0.0,
        "oldest_age_ms": round(outbox.oldest_age_s * 1000, 1) if waiting else None,
        "kept": outbox.kept,
        "kept_bytes": outbox.kept_bytes,
        "recorded_total": outbox.recorded_total,
        "lost_total": outbox.lost_total,
    }
