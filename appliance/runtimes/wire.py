"""Protocol Buffers' wire format, as much of it as a SavedModel's header and TensorFlow's options need.

Why not google.protobuf: see deploy/decisions/0004-models-without-importing-tensorflow.md. In short: a parser would
build the whole graph while it holds the interpreter's lock; this one steps over what nobody asked for.
"""

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_VARINT_BYTES_MAX = 10
_VARINT_MASK = (1 << 64) - 1
_FIELD_MAX = (1 << 29) - 1


class WireError(ValueError):
    """The bytes are no protocol buffer message: cut short or damaged."""


def fields(message: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yield (field number, wire type, value) in order; a value is an int for a varint, else a view of its bytes.

    Costs the number of fields, not of bytes. Raises: WireError.
    """
    position, end = 0, len(message)
    while position < end:
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if not 0 < number <= _FIELD_MAX:
            raise WireError(f"field number {number} before byte {position}")
        if kind == VARINT:
            value, position = _varint(message, position)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, position = _varint(message, position)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise WireError(f"wire type {kind} before byte {position}")
        if position + size > end:
            raise WireError(f"{size} bytes announced at byte {position}, {end - position} there")
        yield number, kind, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for index in range(_VARINT_BYTES_MAX):
        try:
            byte = message[position + index]
        except IndexError:
            raise WireError(f"a number is cut short at byte {position + index}") from None
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & _VARINT_MASK, position + index + 1
    raise WireError(f"a number of more than {_VARINT_BYTES_MAX} bytes at byte {position}")


def signed(value: int) -> int:
    """Read a varint as int64: protocol buffers send negative numbers as their 64-bit complement."""
    return value - (1 << 64) if value >= 1 << 63 else value


def varint_field(number: int, value: int) -> bytes:
    return _encode(number << 3 | VARINT) + _encode(value & _VARINT_MASK)


def bytes_field(number: int, value: bytes) -> bytes:
    return _encode(number << 3 | BYTES) + _encode(len(value)) + value


def double_field(number: int, value: float) -> bytes:
    return _encode(number << 3 | FIXED64) + struct.pack("<d", value)


def _encode(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
