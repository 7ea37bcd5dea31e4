"""What a span of results adds up to, by group. Pure, but for the local clock's offset where hours are asked for."""

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from appliance.results.message import Message
from appliance.results.moments import utc_ns
from appliance.results.rechecks import BAD, GOOD

_NONE: Final = "-"
_OF_TIME: Final = frozenset({"day", "hour", "shift"})
_FIELDS: Final = {
    "camera": "camera",
    "recipe": "recipe_id",
    "job": "job_id",
    "reason": "reason",
    "evaluation": "evaluation",
}


@dataclass(slots=True)
class Figures:
    """Of one group. 8 bytes a part."""

    parts: int = 0
    passed: int = 0
    undecided: int = 0
    undefined: int = 0
    late: int = 0
    """After their deadline."""
    total_ms: "array[float]" = field(default_factory=lambda: array("d"))
    rejects: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(reason, label of the worst class) -> parts that did not pass."""
    passed_rechecked: int = 0
    escapes: int = 0
    failed_rechecked: int = 0
    false_rejects: int = 0

    def add(self, fields: Mapping[str, Any], recheck: str | None) -> None:
        """One result."""
        has_passed = fields.get("verdict") == "pass"
        self.parts += 1
        self.passed += has_passed
        self.undecided += fields.get("evaluation") == "NotDecidable"
        self.undefined += fields.get("evaluation") == "Undefined"
        self.late += fields.get("deadline_met") is False
        total_ms = (fields.get("processing_times") or {}).get("total_ms")
        if total_ms is not None:
            self.total_ms.append(total_ms)
        if not has_passed:
            self.rejects[str(fields.get("reason") or _NONE), _label(fields)] += 1
        if recheck is None:
            return
        if has_passed:
            self.passed_rechecked += 1
            self.escapes += recheck == BAD
        else:
            self.failed_rechecked += 1
            self.false_rejects += recheck == GOOD

    def percentiles_ms(self, shares: Sequence[float]) -> list[float | None]:
        """Nearest rank; None without any."""
        ordered = sorted(self.total_ms)
        if not ordered:
            return [None for _ in shares]
        return [ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)] for share in shares]


class Groups:
    """Results by what they have in common. One thread."""

    def __init__(self, by: Sequence[str], shifts: Sequence[int]) -> None:
        self._by = tuple(by)
        self._shifts = sorted(shifts)
        self._needs_time = bool(_OF_TIME & set(by))
        self.figures: dict[tuple[str, ...], Figures] = {}

    def add(self, one: Message, recheck: str | None) -> None:
        """One result."""
        key = self._key(one)
        found = self.figures.get(key)
        if found is None:
            found = self.figures[key] = Figures()
        found.add(one.fields, recheck)

    def _key(self, one: Message) -> tuple[str, ...]:
        at = _local(one) if self._needs_time else None
        return tuple(self._value(what, one.fields, at) for what in self._by)

    def _value(self, what: str, fields: Mapping[str, Any], at: datetime | None) -> str:
        if what in _FIELDS:
            return str(fields.get(_FIELDS[what]) or _NONE)
        if what == "model":
            model = fields.get("model") or {}
            return f"{model['name']} {model['version']}" if model else _NONE
        if at is None:
            return _NONE
        if what == "day":
            return f"{at:%Y-%m-%d}"
        return f"{at:%Y-%m-%d %H}:00" if what == "hour" else self._shift(at)

    def _shift(self, at: datetime) -> str:
        """When the shift began: the last of the shifts' hours that had struck."""
        begun = [hour for hour in self._shifts if hour <= at.hour]
        day = at if begun else at - timedelta(days=1)
        return f"{day:%Y-%m-%d} {(begun or self._shifts)[-1]:02d}:00"


def _local(one: Message) -> datetime:
    """When the part was there, by the clock on the plant's wall."""
    said = one.fields.get("exposure_time_utc")
    try:
        at_ns = utc_ns(said) if isinstance(said, str) else one.at_utc_ns
    except ValueError:
        at_ns = one.at_utc_ns
    return datetime.fromtimestamp(at_ns // 1_000_000_000).astimezone()


def _label(fields: Mapping[str, Any]) -> str:
    """Of the class that decided; a part that could not be judged has none."""
    classes = fields.get("classes") or ()
    return str(classes[0].get("label", _NONE)) if classes and fields.get("evaluation") != "Undefined" else _NONE
