"""Protocol buffers' wire format, as far as a Sparkplug payload needs it."""

import struct
from collections.abc import Iterator
from typing import Final

from appliance.sparkplug.errors import Undecodable

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

_VARINT_MAX_BYTES: Final = 10
_64_BITS: Final = (1 << 64) - 1


def varint(value: int) -> bytes:
    """`value` (0 or more, below 2^64) in groups of seven bits, lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A field that is an unsigned number or a truth value."""
    return varint(field << 3 | VARINT) + varint(value)


def double(field: int, value: float) -> bytes:
    """A field that is a double."""
    return varint(field << 3 | FIXED64) + struct.pack("<d", value)


def delimited(field: int, value: bytes) -> bytes:
    """A field that is text, bytes or a message."""
    return varint(field << 3 | LENGTH) + varint(len(value)) + value


def fields(raw: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Each field's number, wire type and value, in the order they stand; fixed ones as their bytes.

    Raises: Undecodable.
    """
    at = 0
    while at < len(raw):
        key, at = _read_varint(raw, at)
        kind = key & 7
        value: int | bytes
        if kind == VARINT:
            value, at = _read_varint(raw, at)
        else:
            if kind == LENGTH:
                size, at = _read_varint(raw, at)
            elif kind in {FIXED32, FIXED64}:
                size = 4 if kind == FIXED32 else 8
            else:
                raise Undecodable(f"The payload has a field of wire type {kind}, which Sparkplug does not use")
            if size > len(raw) - at:
                raise Undecodable("The payload ends in the middle of a field")
            value, at = raw[at : at + size], at + size
        yield key >> 3, kind, value


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for nth, byte in enumerate(raw[at : at + _VARINT_MAX_BYTES]):
        value |= (byte & 0x7F) << 7 * nth
        if byte < 0x80:
            return value & _64_BITS, at + nth + 1
    raise Undecodable("The payload ends in the middle of a number")
