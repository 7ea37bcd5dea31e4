"""What operators see: the document of steering, put together from what every delivered model knows."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from appliance.delivery.model import ModelDelivery
from appliance.delivery.records import utc
from appliance.registry.deployments.states import ON_DISK, TRANSITIONS
from appliance.registry.store.held import Held

_SHOWN: Final = 50
_ON_DISK: Final = frozenset(state.value for state in ON_DISK)
_UNDER_WAY: Final = frozenset(state.value for state in TRANSITIONS)


def document_of(station: str, models: Sequence[ModelDelivery]) -> dict[str, Any]:
    """See `appliance.steering.document`. Some milliseconds: it reads the history from the disk."""
    known = {model.model: _known(model) for model in models}
    every = [one for ones in known.values() for one in ones]
    return {
        "schema_version": 1,
        "station": station,
        "at": utc(),
        "models": {model.model: _model(model, known[model.model]) for model in models},
        "deployments": sorted(every, key=lambda one: str(one["created"]), reverse=True)[:_SHOWN],
    }


def _known(model: ModelDelivery) -> list[Mapping[str, Any]]:
    """What waits, what is live, and what is over; the newest first."""
    live, waiting = model.courier.live, model.courier.waiting()
    known: dict[str, Mapping[str, Any]] = {one["id"]: one for one in model.records.history()}
    for one in (live, waiting):
        if one is not None:
            known[one.id] = one.as_json()
    return sorted(known.values(), key=lambda one: str(one["created"]), reverse=True)


def _model(model: ModelDelivery, known: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    facts, flags = model.records.facts, model.flags()
    live = next((one for one in known if one["state"] in _UNDER_WAY), None)
    with model.records.lock:
        current, previous, factory = model.store.current, model.store.previous, model.store.factory
        held = [one.release for one in model.store.releases()]
    newest = model.watcher.newest
    is_new = newest is not None and newest.identity not in facts.handled
    candidate = None
    if live is not None and live["release"] is not None and live["state"] in _ON_DISK:
        candidate = {key: live[key] for key in ("release", "version", "digest")}
    return {
        "active": _release(current),
        "previous": _release(previous),
        "factory": _release(factory),
        "candidate": candidate,
        "flags": {
            "paused": flags.paused,
            "pinned": facts.pinned,
            "revoked": flags.revoked,
            "stale": flags.stale,
        },
        "flag_details": _details(model),
        "update_available": {"reference": newest.reference} if newest is not None and is_new and live is None else None,
        "deployment": live or next(iter(known), None),
        "last_looked": model.watcher.last_looked,
        "next_look": model.watcher.next_look(),
        "held": held,
    }


def _details(model: ModelDelivery) -> dict[str, str]:
    facts, flags = model.records.facts, model.flags()
    details = {}
    if facts.paused is not None:
        details["paused"] = f"Deployments of {model.model} are paused by {facts.paused}; resume them."
    if facts.pinned is not None:
        details["pinned"] = f"{model.model} is pinned to release {facts.pinned} by {facts.pinned_by}; unpin it."
    if flags.revoked:
        details["revoked"] = f"What serves as {model.model} was revoked by its publisher; push a release that was not."
    if flags.stale:
        details["stale"] = f"No source has answered for {model.model} for long; look at the network and its settings."
    if model.watcher.problem is not None:
        details["source"] = model.watcher.problem
    for number, trouble in enumerate(model.store.troubles()):
        details[f"store_{number}"] = trouble
    return details


def _release(held: Held | None) -> dict[str, Any] | None:
    return None if held is None else {"release": held.release, "version": held.version, "digest": held.digest}
