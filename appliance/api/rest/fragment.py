"""The piece of a request that an error quotes: printed as TensorFlow Serving prints it, cut at 256 bytes."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from appliance.api.rest.decimals import decimal
from appliance.api.rest.numbers import Numbers
from appliance.api.rest.reading import read
from appliance.api.rest.strings import quoted

MAX_BYTES: Final = 256
_HEAD_BYTES: Final = 64 * MAX_BYTES  # however it is spaced out


def shown(value: Any) -> str:
    """At most MAX_BYTES of `value`; whatever its size and depth, no more of it is looked at."""
    made = b""
    for piece in _pieces(value, 0):
        made += piece.encode("utf-8", "surrogateescape")
        if len(made) >= MAX_BYTES:
            break
    return made[:MAX_BYTES].decode("utf-8", "surrogateescape")


def kind_of(value: Any) -> str:
    """RapidJSON's name for the type of a value."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return "Number"
    if isinstance(value, bytes):
        return "String"
    return "Object" if isinstance(value, dict) else "Array"


def _pieces(value: Any, level: int) -> Iterator[str]:
    """Every level gives a character before the next is entered, so that the cut also limits the depth."""
    if isinstance(value, Numbers):
        value = _head(value)
    if isinstance(value, list):
        yield "["
        for index, item in enumerate(value):
            if index:
                yield ", "
            yield from _pieces(item, level + 1)
        yield "]"
    elif isinstance(value, dict):
        yield from _members(value, level)
    elif value is None or isinstance(value, bool):
        yield {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, bytes):
        yield quoted(value[: MAX_BYTES + 1])
    else:
        yield decimal(value) if isinstance(value, float) else str(value)


def _members(value: dict[str, Any], level: int) -> Iterator[str]:
    yield "{"
    for index, (key, item) in enumerate(islice(value.items(), MAX_BYTES)):
        name = quoted(key[: MAX_BYTES + 1].encode("utf-8", "surrogateescape"))
        yield ("," if index else "") + "\n" + "    " * (level + 1) + name + ": "
        yield from _pieces(item, level + 1)
    yield ("\n" + "    " * level if value else "") + "}"


def _head(value: Numbers) -> list[Any]:
    """Enough of a list: where it is long, its text is cut behind an element, and closed."""
    cut = value.text
    if len(cut) > _HEAD_BYTES:
        cut = cut[:_HEAD_BYTES].rpartition(b",")[0]
    depth = cut.count(b"[") - cut.count(b"]")
    head: list[Any] = read(cut + b"]" * depth, numbers_from=len(value.text) + 1)
    return head
