"""The small messages that the gateway says besides results: built here, each as its schema has it. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from appliance.status import CameraStatus, LineStatus, ModelStatus, RecipeStatus


def encoded(value: Mapping[str, Any]) -> bytes:
    """As it goes over MQTT."""
    return json.dumps(value, separators=(",", ":")).encode()


def of_line(status: LineStatus) -> Iterator[tuple[str, dict[str, Any]]]:
    """All that a report of the line makes retained topics say: (topic below the base, message)."""
    for name, camera in (status.cameras | status.groups).items():
        yield f"{name}/status", camera_status(name, camera)
    for one in status.recipes:
        yield f"{one.camera}/recipe", recipe(one)
    yield "model", models(status.models)


def camera_status(name: str, camera: CameraStatus) -> dict[str, Any]:
    """`<camera>/status`, of a camera or a group."""
    return {"schema_version": 1, "camera": name, "state": camera.state, "reason": camera.detail or None}


def recipe(one: RecipeStatus) -> dict[str, Any]:
    """`<camera>/recipe`."""
    return {
        "schema_version": 1,
        "camera": one.camera,
        "recipe_id": one.recipe,
        "job_id": one.job_id,
        "config_id": one.config_id,
        "deadline_ms": one.deadline_ms,
        "since": one.since_utc,
        "refused": one.refused,
    }


def models(found: Iterable[ModelStatus]) -> dict[str, Any]:
    """`model`: which versions the box holds."""
    return {
        "schema_version": 1,
        "models": [
            {
                "name": one.name,
                "version": one.version,
                "state": one.state,
                "error": one.error,
                "engine": one.engine,
                "digest": one.digest,
            }
            for one in found
        ],
    }


def health(found: Mapping[str, Any]) -> dict[str, Any]:
    """`health`, of what `/healthz` says of the device's health."""
    return {"schema_version": 1, **found}
