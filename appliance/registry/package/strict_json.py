"""JSON from strangers: one meaning for every reader, or none."""

import json
import math
from typing import Any, Final, NoReturn

_INTEGER_DIGITS_MAX: Final = 19


class NotStrict(ValueError):
    """These bytes are no JSON that every reader would understand in the same way. The text says why."""


def read_json(raw: bytes, *, max_bytes: int, max_depth: int = 16) -> Any:
    """Parse UTF-8. Refuses doubled keys, NaN and infinities, lone surrogates, numbers over 64 bits, deep nesting.

    Raises: NotStrict.
    """
    if len(raw) > max_bytes:
        raise NotStrict(f"it is longer than {max_bytes} bytes")
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
    except NotStrict:
        raise
    except RecursionError as error:
        raise NotStrict("it is nested too deeply") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError among them
        raise NotStrict(f"it is not JSON in UTF-8: {error}") from error
    _check(value, max_depth)
    return value


def write_json(value: Any) -> bytes:
    """The one way to write `value`: keys sorted, no blanks, UTF-8. Raises: NotStrict for what JSON has not."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise NotStrict(f"it cannot be written as JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        doubled = next(key for index, (key, _) in enumerate(pairs) if key in {name for name, _ in pairs[:index]})
        raise NotStrict(f"the key {doubled[:40]!r} stands twice in one object")
    return found


def _no_constant(text: str) -> NoReturn:
    raise NotStrict(f"{text} is no number in JSON")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > _INTEGER_DIGITS_MAX:
        raise NotStrict(f"a number has more than {_INTEGER_DIGITS_MAX} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrict(f"the number {text[:40]} is too large")
    return number


def _check(value: Any, depth: int) -> None:
    if depth < 0:
        raise NotStrict("it is nested too deeply")
    if isinstance(value, str):
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise NotStrict("a text holds half a character (a lone surrogate)")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check(key, depth)
            _check(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth - 1)
