"""Protocol Buffers' wire format, read field by field: a graph's names and ops, without its constants.

The runtimes have a reader of their own beside this package; neither imports the other. This one gives only what has a
length (texts and messages), every occurrence of it, so that what a parser would merge or override is seen as well.
"""

from collections.abc import Iterator
from typing import TypeAlias

Buffer: TypeAlias = bytes | memoryview
_COPIED_BELOW_BYTES = 65_536
_VARINT_BYTES_MAX = 10
_FIXED = {1: 8, 5: 4}
_FIELD_MAX = (1 << 29) - 1


class WireError(ValueError):
    """The bytes are no protocol buffer message."""


def parts(message: Buffer) -> Iterator[tuple[int, Buffer]]:  # noqa: C901 (one loop: it turns a million times)
    """Yield (field number, bytes) of every text and message, in order; costs their number. Raises: WireError."""
    if len(message) < _COPIED_BELOW_BYTES:
        message = bytes(message)  # a copy is cheaper than looking through a view, byte by byte
    position, end = 0, len(message)
    while position < end:
        tag = message[position]
        position += 1
        if tag >= 0x80:
            tag, position = _varint(message, position - 1)
        kind = tag & 7
        if not 0 < tag >> 3 <= _FIELD_MAX:
            raise WireError(f"field number {tag >> 3} before byte {position}")
        if kind == 2:
            size = message[position] if position < end else 0x80
            position += 1
            if size >= 0x80:
                size, position = _varint(message, position - 1)
        elif kind == 0:
            _, position = _varint(message, position)
            continue
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise WireError(f"wire type {kind} before byte {position}")
        if position + size > end:
            raise WireError(f"{size} bytes announced at byte {position}, {end - position} there")
        if kind == 2:
            yield tag >> 3, message[position : position + size]
        position += size


def text(value: Buffer) -> str:
    """Raises: WireError."""
    try:
        return bytes(value).decode()
    except UnicodeDecodeError as error:
        raise WireError("a name is no UTF-8") from error


def _varint(message: Buffer, position: int) -> tuple[int, int]:
    value = shift = 0
    for byte in message[position : position + _VARINT_BYTES_MAX]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position + shift // 7
    raise WireError(f"a number without an end at byte {position}")
