"""What operators want: the desired release, as JSON. One reader for MQTT and REST."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from appliance.errors import ApplianceError

BODY_MAX_BYTES: Final = 4096
RELEASE_MAX: Final = 2**53 - 1
"""What every JSON reader keeps exactly."""
SPREAD_MAX_S: Final = 604_800
_TEXT_MAX: Final = 128
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""A tag as the OCI distribution specification has it (section "Pulling manifests"); a model's name."""
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class WishRefused(ApplianceError):
    """What came is no wish. Its text is the answer to whoever sent it (REST: 400)."""


@dataclass(frozen=True, slots=True)
class Desired:
    """One wish; whole. It names a release and confers no trust. Exactly one of tag, digest, release is set."""

    tag: str | None
    """At the configured source."""
    digest: str | None
    """sha256:<64 hex>: of the content, as the statement and results have it, or of an OCI manifest."""
    release: int | None
    """One that this box holds, or that the source names at present."""
    request_id: str
    requested_by: str
    model: str | None = None
    """None: the only one that is delivered here."""
    force: bool = False
    """Try also a digest that failed here before."""
    not_before: datetime | None = None
    spread_s: float | None = None
    """None: as the box is configured."""
    percent: float = 100.0
    """Of the boxes; each is in or out by its own id, and stays in when this grows."""
    issued: datetime | None = None
    """The newest counts; None: now."""

    def as_json(self) -> dict[str, Any]:
        """What read_desired reads: only what is said."""
        return {
            name: _moment_text(value) if isinstance(value, datetime) else value
            for name in _FIELDS
            if (value := getattr(self, name)) is not None
        }


def read_desired(body: bytes | str | Mapping[str, Any], *, requested_by: str, request_id: str | None = None) -> Desired:
    """Read a wish. Both arguments stand in where the body does not say them. Raises: WishRefused."""
    said = body if isinstance(body, Mapping) else _parsed(body)
    unknown = sorted(set(said) - _FIELDS.keys())
    if unknown:
        raise WishRefused(f"{unknown[0][:_TEXT_MAX]!r} is no field of a wish; there are {', '.join(_FIELDS)}")
    fields = {name: _FIELDS[name](name, value) for name, value in said.items() if value is not None}
    chosen = [name for name in ("tag", "digest", "release") if name in fields]
    if len(chosen) != 1:
        found = " and ".join(chosen) or "none of them"
        raise WishRefused(f"a wish names a release by exactly one of tag, digest and release; this has {found}")
    fields.setdefault("requested_by", requested_by)
    if request_id is not None:
        fields.setdefault("request_id", request_id)
    if "request_id" not in fields:
        raise WishRefused("request_id is missing; give each wish its own, so that a repetition is known as one")
    return Desired(**{"tag": None, "digest": None, "release": None, **fields})


def _parsed(body: bytes | str) -> Mapping[str, Any]:
    if len(body) > BODY_MAX_BYTES:
        raise WishRefused(f"a wish has {len(body)} bytes; {BODY_MAX_BYTES} are allowed")
    try:
        value = json.loads(body, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise WishRefused(f"a wish has to be JSON ({error})") from error
    if not isinstance(value, dict):
        raise WishRefused('a wish has to be a JSON object, like {"release": 7, "request_id": "a1"}')
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of a name that stands twice would see two wishes."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _name(field: str, value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise WishRefused(f"{field} has to be 1 to 128 letters, digits, '.', '_', '-', and not begin with '.' or '-'")
    return value


def _digest(field: str, value: Any) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise WishRefused(f'{field} has to be "sha256:" and 64 digits of 0-9, a-f')
    return value


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX or not value.isprintable():
        raise WishRefused(f"{field} has to be 1 to {_TEXT_MAX} printable characters")
    return value


def _release(field: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value <= RELEASE_MAX:
        raise WishRefused(f"{field} has to be a whole number from 0 to {RELEASE_MAX}")
    return value


def _flag(field: str, value: Any) -> bool:
    if type(value) is not bool:
        raise WishRefused(f"{field} has to be true or false")
    return value


def _number_up_to(maximum: float) -> Callable[[str, Any], float]:
    def read(field: str, value: Any) -> float:
        if type(value) not in {int, float} or not 0 <= value <= maximum or not math.isfinite(value):
            raise WishRefused(f"{field} has to be a number from 0 to {maximum:g}")
        return float(value)

    return read


def _moment(field: str, value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", value))  # Python 3.10 knows no Z
        if moment.utcoffset() is not None:
            return moment.astimezone(timezone.utc)
    except (TypeError, ValueError, OverflowError):
        pass
    raise WishRefused(f'{field} has to be a moment with its offset, like "2026-11-20T20:31:04Z"')


def _moment_text(value: datetime) -> str:
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


_FIELDS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "tag": _name,
    "digest": _digest,
    "release": _release,
    "request_id": _text,
    "requested_by": _text,
    "model": _name,
    "force": _flag,
    "not_before": _moment,
    "spread_s": _number_up_to(SPREAD_MAX_S),
    "percent": _number_up_to(100),
    "issued": _moment,
}
