"""TFRecord files: records one after the other, each with its length and two checksums."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from appliance.dataplane.errors import Code, RequestError
from appliance.runtimes.model import Array

_LENGTH_BYTES, _CHECKSUM_BYTES = 8, 4
_HEADER_BYTES = _LENGTH_BYTES + _CHECKSUM_BYTES
_CASTAGNOLI: Final = 0x82F63B78
_ONES: Final = 0xFFFFFFFF
_MASK: Final = 0xA282EAD8
_ROW_BYTES: Final = 256
"""Of a long record, so many bytes one after the other; its rows beside each other."""


def records_of(file: Path) -> Iterator[bytes]:
    """Read one record at a time. Raises: RequestError (DATA_LOSS), in the words of TensorFlow's reader; OSError."""
    with file.open("rb") as opened:
        left, offset = file.stat().st_size, 0
        while left:
            header = _checked(opened, _LENGTH_BYTES, left, offset)
            left -= _HEADER_BYTES
            size = int.from_bytes(header, "little")
            yield _checked(opened, size, left, offset)
            left -= size + _CHECKSUM_BYTES
            offset += size + _HEADER_BYTES + _CHECKSUM_BYTES


def masked_crc32c(content: bytes) -> int:
    """The checksum as TFRecord stores it. About 100 MB a second."""
    found = crc32c(content)
    return ((found >> 15 | found << 17) + _MASK) & _ONES


def crc32c(content: bytes) -> int:
    """CRC-32C (Castagnoli) of `content`."""
    if len(content) <= _ROW_BYTES:
        return _of_few(content)
    rows = 1 << (-(-len(content) // _ROW_BYTES) - 1).bit_length()
    padded = np.zeros(rows * _ROW_BYTES, np.uint8)  # zeros in front change nothing while the state is zero
    padded[-len(content) :] = np.frombuffer(content, np.uint8)
    padded[-len(content) :][:4] ^= 0xFF  # so the state may start at zero instead of at all ones
    return _joined(_of_rows(padded.reshape(rows, _ROW_BYTES)), _ROW_BYTES) ^ _ONES


def _checked(opened: BinaryIO, size: int, left: int, offset: int) -> bytes:
    """Raises: RequestError (DATA_LOSS)."""
    if left < size + _CHECKSUM_BYTES:
        raise RequestError(Code.DATA_LOSS, f"truncated record at {offset}")
    content, checksum = opened.read(size), opened.read(_CHECKSUM_BYTES)
    if masked_crc32c(content) != int.from_bytes(checksum, "little"):
        raise RequestError(Code.DATA_LOSS, f"corrupted record at {offset}")
    return content


def _of_few(content: bytes) -> int:
    table = _numbers()
    state = _ONES
    for byte in content:
        state = table[(state ^ byte) & 0xFF] ^ state >> 8
    return state ^ _ONES


def _of_rows(rows: Array) -> Array:
    """The state after each row, started at zero."""
    table = _table()
    state = np.zeros(len(rows), np.uint32)
    for column in rows.T:
        state = table[(state ^ column) & 0xFF] ^ state >> 8
    return state


def _joined(state: Array, width: int) -> int:
    """The state after all rows, of `width` bytes each: a row's state goes on through the zeros of the next."""
    while len(state) > 1:
        state = _apply(_zeros(width), state[0::2]) ^ state[1::2]
        width *= 2
    return int(state[0])


def _apply(columns: Array, state: Array) -> Array:
    """A linear map of 32 bits, given by what it makes of each bit."""
    result = np.zeros_like(state)
    for bit, column in enumerate(columns):
        result ^= np.where(state >> bit & 1, column, np.uint32(0))
    return result


@cache
def _zeros(width: int) -> Array:
    """What `width` zero bytes, a power of two, do to each bit of a state."""
    if width > 1:
        half = _zeros(width // 2)
        return _apply(half, half)
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    return np.asarray(_table()[bits & 0xFF] ^ bits >> 8, np.uint32)


@cache
def _table() -> Array:
    state = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        state = np.where(state & 1, state >> 1 ^ np.uint32(_CASTAGNOLI), state >> 1)
    return state.astype(np.uint32)


@cache
def _numbers() -> tuple[int, ...]:
    return tuple(_table().tolist())
