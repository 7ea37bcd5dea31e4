"""One field of a statement at a time: its type, its limits, and a sentence where it is something else."""

import re
from datetime import datetime, timezone
from typing import Any, Final

from appliance.registry.package.paths import is_plain_text, shown
from appliance.registry.package.strict_json import NotStrict

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


def the_object(value: Any, name: str, keys: frozenset[str] | None = None) -> dict[str, Any]:
    """With exactly these keys, where they are given. Raises: NotStrict, as all here."""
    if not isinstance(value, dict):
        raise NotStrict(f"{name} is no object")
    if keys is not None and set(value) != keys:
        odd = ", ".join(shown(key) for key in sorted(set(value) ^ keys)[:5])
        raise NotStrict(f"{name} has a field missing or too many: {odd}")
    return value


def the_list(value: Any, name: str, most: int, least: int = 0) -> list[Any]:
    """Of `least` to `most` entries."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise NotStrict(f"{name} is no list of {least} to {most} entries")
    return value


def the_text(value: Any, name: str, longest: int, pattern: re.Pattern[str] | None = None, *, least: int = 1) -> str:
    """Of `least` to `longest` characters that can be shown."""
    if not isinstance(value, str) or not least <= len(value) <= longest or not is_plain_text(value):
        raise NotStrict(f"{name} is no text of {least} to {longest} plain characters")
    if pattern is not None and not pattern.fullmatch(value):
        raise NotStrict(f"{name} is {shown(value)}, which is none")
    return value


def texts(value: Any, name: str, most: int, longest: int, pattern: re.Pattern[str] | None = None) -> tuple[str, ...]:
    """A list of texts, none twice."""
    found = tuple(the_text(one, f"an entry of {name}", longest, pattern) for one in the_list(value, name, most))
    if len(set(found)) != len(found):
        raise NotStrict(f"{name} names one thing twice")
    return found


def the_number(value: Any, name: str, least: int, most: int) -> int:
    """A whole number; true and 1.0 are none."""
    if type(value) is not int or not least <= value <= most:
        raise NotStrict(f"{name} is no whole number from {least} to {most}")
    return value


def the_digest(value: Any, name: str) -> str:
    """`sha256:` and 64 lower-case hexadecimal digits."""
    return the_text(value, name, 71, DIGEST)


def the_moment(value: Any, name: str) -> datetime:
    """RFC 3339, whole seconds, UTC as Z."""
    text = the_text(value, name, 20, _MOMENT)
    try:
        return datetime.fromisoformat(text[:-1]).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise NotStrict(f"{name} is {text}, which is no moment") from error


def as_moment(at: datetime) -> str:
    """The inverse; fractions of a second are dropped. Raises: RuntimeError without a time zone (a bug)."""
    if at.tzinfo is None:
        raise RuntimeError("a moment without a time zone")
    return at.astimezone(timezone.utc).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
