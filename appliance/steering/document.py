"""The document: all that operators may know of deliveries, whole, at each change. Pure: JSON in, JSON out.

    {"schema_version": 1, "station": NAME, "at": MOMENT,
     "models": {NAME: {
        "active": {"release", "version", "digest"} | null,
        "previous", "factory", "candidate": the same | null,
        "flags": {"paused": bool, "pinned": RELEASE | null, "revoked": bool, "stale": bool},
        "flag_details": {FLAG: sentence},       also of troubles that are no flag: `source`, `store_...`
        "update_available": {"release" | "reference": ...} | null,
        "deployment": DEPLOYMENT | null,        the live one, or else the newest
        "last_looked": MOMENT | null, "next_look": MOMENT | null,
        "held": [RELEASE, ...]}},
     "deployments": [DEPLOYMENT, ...]}          the newest 50, newest first

A DEPLOYMENT is `registry.deployments.Deployment.as_json()`. `deployment.schema.json` says the same for programs.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

Document = Mapping[str, Any]
SCHEMA_PATH: Final = Path(__file__).with_name("deployment.schema.json")
"""JSON Schema of the document, its deployments, and the flat messages over MQTT."""

_PLAIN: Final = (
    "id",
    "state",
    "reason",
    "detail",
    "waiting_for",
    "since",
    "reference",
    "requested_by",
    "request_id",
    "release",
    "version",
    "digest",
    "bytes_total",
    "bytes_done",
    "bytes_fetched",
)
_SERVED: Final = ("active", "previous", "candidate")


def find(document: Document, deployment_id: str) -> Mapping[str, Any] | None:
    """The deployment with this id, where it is among those of the document."""
    return next((one for one in deployments(document) if one["id"] == deployment_id), None)


def deployments(document: Document) -> Iterator[Mapping[str, Any]]:
    """All of the document, each once, newest first; a live one that is older than the newest 50 comes last."""
    known = set()
    shown = [part["deployment"] for part in document["models"].values() if part["deployment"] is not None]
    for one in (*document["deployments"], *shown):
        if one["id"] not in known:
            known.add(one["id"])
            yield one


def newest_model(document: Document) -> str | None:
    """The model whose deployment moved last; the first where none has any."""
    models: Mapping[str, Any] = document["models"]
    return max(models, key=lambda name: (models[name]["deployment"] or {}).get("since", ""), default=None)


def flat(document: Document, model: str) -> dict[str, Any]:
    """One model's part as one flat object: the retained MQTT message `deployment`."""
    part = document["models"][model]
    deployment = part["deployment"] or {}
    flags = part["flags"]
    value: dict[str, Any] = {"schema_version": 1, "station": document["station"], "model": model}
    value |= {name: deployment.get(name) for name in _PLAIN}
    value["progress"] = progress(deployment)
    for role in _SERVED:
        served = part[role] or {}
        value |= {f"{role}_{name}": served.get(name) for name in ("release", "version", "digest")}
    available = part["update_available"] or {}
    value |= {name: bool(flags.get(name)) for name in ("paused", "revoked", "stale")}
    value["pinned"] = flags.get("pinned")
    value["update_available"] = available.get("release", available.get("reference"))
    value["last_looked"] = part["last_looked"]
    return value


def event(document: Document, deployment: Mapping[str, Any]) -> dict[str, Any]:
    """One transition as one flat object: the MQTT message `deployment/events`, not retained."""
    value = {"schema_version": 1, "station": document["station"], "model": deployment["model"]}
    return value | {name: deployment.get(name) for name in _PLAIN}


def progress(deployment: Mapping[str, Any]) -> float | None:
    """Share of the bytes that are here, 0..1, in thousandths; None where it is not known."""
    total = int(deployment.get("bytes_total") or 0)
    if not total:
        return None
    return round(min(1.0, int(deployment["bytes_done"]) / total), 3)


def moved(before: Document | None, after: Document) -> list[Mapping[str, Any]]:
    """The deployments that are in another state, or new, oldest first; none where nothing was known before."""
    if before is None:
        return []
    states = {one["id"]: one["state"] for one in deployments(before)}
    return [one for one in reversed(list(deployments(after))) if states.get(one["id"]) != one["state"]]
