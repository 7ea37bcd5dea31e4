"""FlexBuffers, as much of them as a .tflite file's metadata needs: the texts in a map."""

from typing import Final

from appliance.runtimes.wire import WireError

_STRING, _MAP = 5, 9
_WIDTHS: Final = (1, 2, 4, 8)
_ENTRIES_MAX: Final = 1024


def texts_of_map(content: bytes) -> list[bytes]:
    """The values of a map, in the order of its keys. Raises: WireError where it is no map of texts."""
    if len(content) < 3 or content[-1] not in _WIDTHS or content[-2] >> 2 != _MAP:
        raise WireError("no map")
    width = _WIDTHS[content[-2] & 3]
    start = _target(content, len(content) - 2 - content[-1], content[-1])
    count = _number(content, start - width, width)
    if count > _ENTRIES_MAX:
        raise WireError(f"a map of {count} entries")
    kinds = start + count * width
    return [_text(content, start + index * width, width, _number(content, kinds + index, 1)) for index in range(count)]


def _text(content: bytes, place: int, width: int, kind: int) -> bytes:
    if kind >> 2 != _STRING:
        raise WireError(f"a value of kind {kind >> 2}")
    start, own_width = _target(content, place, width), _WIDTHS[kind & 3]
    size = _number(content, start - own_width, own_width)
    if start + size > len(content):
        raise WireError(f"{size} bytes announced at byte {start}")
    return content[start : start + size]


def _target(content: bytes, place: int, width: int) -> int:
    """Where the offset at `place` leads: always backwards."""
    return place - _number(content, place, width)


def _number(content: bytes, place: int, width: int) -> int:
    if not 0 <= place <= len(content) - width:
        raise WireError(f"an offset leads to byte {place} of {len(content)}")
    return int.from_bytes(content[place : place + width], "little")
