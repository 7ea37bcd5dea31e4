"""Deliveries as the page at `/` shows them: one panel a model, every figure as its text. Reading only."""

from collections.abc import Mapping
from typing import Any, Final

from appliance.steering.document import Document, progress
from appliance.steering.sentences import (
    ENDS,
    WAY,
    WRONG_ENDS,
    flags_of,
    notes_of,
    reports_of,
    short,
    size,
    update_of,
    wait_of,
)

_ALARMING: Final = ("revoked", "stale")


def view(document: Document) -> list[dict[str, Any]]:
    """For each delivered model, by name."""
    return [_panel(name, part) for name, part in sorted(document["models"].items())]


def _panel(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    flags = part["flags"]
    return {
        "name": name,
        "active": _served(part["active"]),
        "previous": _served(part["previous"]),
        "flags": flags_of(part),
        "notes": [note for note in notes_of(part) if note not in flags_of(part)],
        "alarming": any(flags.get(flag) for flag in _ALARMING),
        "available": update_of(part),
        "last_looked": _moment(part["last_looked"]),
        "deployment": None if part["deployment"] is None else _deployment(part["deployment"]),
    }


def _served(served: Mapping[str, Any] | None) -> dict[str, str] | None:
    if served is None:
        return None
    return {"release": str(served["release"]), "version": str(served["version"]), "digest": short(served["digest"])}


def _deployment(one: Mapping[str, Any]) -> dict[str, Any]:
    state = str(one["state"])
    share = progress(one)
    is_loading = state == "downloading" and share is not None
    return {
        "id": one["id"],
        "what": f"release {one['release']}" if one["release"] is not None else one["reference"],
        "state": state.replace("_", " "),
        "since": _moment(one["since"]),
        "by": one["requested_by"],
        "is_over": state in ENDS,
        "is_wrong": state in WRONG_ENDS,
        "way": _way(state),
        "percent": round(100 * (share or 0.0), 1) if is_loading else None,
        "bytes": f"{size(one['bytes_done'])} of {size(one['bytes_total'])}" if is_loading else "",
        "wait": wait_of(one),
        "detail": one["detail"] or one["reason"],
        "reports": reports_of(one),
    }


def _way(state: str) -> list[tuple[str, str]]:
    """The states in order, each with how it stands: done, now, ahead; empty where it left the way."""
    if state not in WAY:
        return []
    at = WAY.index(state)
    return [(one, "now" if number == at else "done" if number < at else "ahead") for number, one in enumerate(WAY)]


def _moment(text: str | None) -> str:
    return "never" if not text else text.replace("T", " ")[:19] + "Z"
