"""The document: all that operators may know of deliveries, whole, at each change. Pure: JSON in, JSON out.

    {"schema_version": 1, "station": NAME, "at": MOMENT,
     "models": {NAME: {
        "active": {"release", "version", "digest"} | null,
        "previous", "factory", "candidate": the same | null,
        "flags": {"paused": bool, "pinned": RELEASE | null, "revoked": bool, "stale": bool},
        "flag_details": {FLAG: sentence},
        "update_available": {"release" | "reference": ...} | null,
        "deployment": DEPLOYMENT | null,        the live one, or else the newest
        "last_looked": MOMENT | null, "next_look": MOMENT | null,
        "held": [RELEASE, ...]}},
     "deployments": [DEPLOYMENT, ...]}          the newest 50, newest first

A DEPLOYMENT is `registry.deployments.Deployment.as_json()`.
"""

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def find(document: Document, deployment_id: str) -> Mapping[str, Any] | None:
    """The deployment with this id, where it is among those of the document."""
    raise NotImplementedError


def flat(document: Document, model: str) -> dict[str, Any]:
    """One model's part as one flat object: the retained MQTT message `deployment`."""
    raise NotImplementedError
