"""A result as one row of a table: which columns there are, and of what kind. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from appliance.results.message import Message

Kind = Literal["text", "word", "whole", "number", "flag", "moment", "json"]
"""`word`: a text out of few; `json`: the part of the message as it is, as JSON text."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Column:
    """One of them."""

    name: str
    kind: Kind
    value: Callable[[Message], Any]
    """None where the message does not have it. A moment is RFC 3339 text, or nanoseconds since 1970."""


def _own(name: str, kind: Kind) -> Column:
    return Column(name, kind, lambda one: one.fields.get(name))


def _inner(name: str, of: str, key: str, kind: Kind) -> Column:
    return Column(name, kind, lambda one: (one.fields.get(of) or {}).get(key))


def _first_class(name: str, key: str, kind: Kind) -> Column:
    return Column(name, kind, lambda one: (one.fields.get("classes") or [{}])[0].get(key))


def _json(name: str) -> Column:
    def value(one: Message) -> str | None:
        found = one.fields.get(name)
        return None if found is None else _encode(found)

    return Column(name, "json", value)


_RESULT: Final = (
    _own("result_id", "text"),
    _own("stream", "word"),
    _own("sequence", "whole"),
    _own("exposure_time_utc", "moment"),
    Column("recorded_utc", "moment", lambda one: one.at_utc_ns),
    _own("station", "word"),
    _own("camera", "word"),
    _own("part_id", "text"),
    _own("trigger_id", "whole"),
    _own("recipe_id", "word"),
    _own("job_id", "word"),
    _own("verdict", "word"),
    _own("evaluation", "word"),
    _own("reason", "word"),
    _own("detail", "text"),
    _first_class("label", "label", "word"),
    _first_class("score", "score", "number"),
    _inner("model_name", "model", "name", "word"),
    _inner("model_version", "model", "version", "whole"),
    *(
        _inner(name, "processing_times", name, "number")
        for name in ("acquisition_ms", "queue_ms", "inference_ms", "total_ms", "frame_age_ms")
    ),
    _own("deadline_ms", "number"),
    _own("deadline_met", "flag"),
    _inner("clock_synchronized", "clock", "synchronized", "flag"),
    *(_json(name) for name in ("classes", "regions", "views", "model")),
    _own("config_id", "word"),
    _own("image_uri", "text"),
    _own("is_simulated", "flag"),
    _own("replayed", "flag"),
    _own("prev", "text"),
    _own("schema_version", "whole"),
)
_FROM_OUTSIDE: Final = ("part_id", "job_id", "detail", "label", "image_uri")
"""Columns whose text the plant, or a model, chose."""
_KNOWN: Final = frozenset(column.name for column in _RESULT) | {"processing_times", "clock"}


def _more(one: Message) -> str | None:
    """What a later version of the appliance says in a result: nothing is dropped in silence."""
    found = {name: value for name, value in one.fields.items() if name not in _KNOWN}
    return _encode(found) if found else None


def columns(rechecks: Callable[[Mapping[str, Any]], str | None] | None) -> tuple[Column, ...]:
    """Those of every table; with `recheck` where there are any."""
    more = Column("more", "json", _more)
    if rechecks is None:
        return (*_RESULT, more)
    return (*_RESULT, Column("recheck", "word", lambda one: rechecks(one.fields)), more)


def looks_like_a_formula(one: Message) -> bool:
    """Whether a spreadsheet would compute a value of it instead of showing it."""
    values = (one.fields.get(name) for name in _FROM_OUTSIDE)
    return any(isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} for value in values)
