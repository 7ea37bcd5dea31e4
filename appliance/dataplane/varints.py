"""Protocol buffers' packed integers, whole arrays at a time."""

from typing import Any

import numpy as np
import numpy.typing as npt

_SIZE_MAX_BITS = 32


def encoded(array: npt.NDArray[Any]) -> bytes:
    """The varints of an integer array, in C order; negative numbers as their 64-bit complement."""
    flat = array.ravel()
    if flat.size == 0:
        return b""
    if flat.dtype.kind == "i":
        flat = flat.astype("int64").view("uint64")
    largest = int(flat.max())
    if largest < 1 << 7:
        return flat.astype("uint8").tobytes()
    groups = -(-largest.bit_length() // 7)
    rest = flat.astype("uint64", copy=False)
    table = np.empty((flat.size, groups), dtype="uint8")
    used = np.ones((flat.size, groups), dtype=bool)
    for group in range(groups):
        table[:, group] = rest & 0x7F
        rest = rest >> 7
        more = rest != 0
        table[:, group] |= more.astype("uint8") << 7
        if group + 1 < groups:
            used[:, group + 1] = more
    return table[used].tobytes()


def decoded(content: bytes, count: int) -> tuple[list[int], int] | None:
    """The first `count` varints of at most 32 bits, and where they end; None where they are not there."""
    found = []
    position = 0
    for _ in range(count):
        value = shift = 0
        while True:
            if position >= len(content) or shift >= _SIZE_MAX_BITS + 3:
                return None
            byte = content[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if value >= 1 << _SIZE_MAX_BITS:
            return None
        found.append(value)
    return found, position
