"""Memory: what this process holds, how it goes back to the system, and arrays that engines read where they lie."""

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from appliance.runtimes.model import Array

ALIGNMENT_BYTES = 64
"""Memory that lies otherwise is copied by TensorFlow and refused by LiteRT."""
_READ_BEYOND_BYTES = 64
"""Vector code may read (not use) that much beyond an array's end."""


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array in memory that an engine reads in place; its content is arbitrary."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.empty(ALIGNMENT_BYTES + size + _READ_BEYOND_BYTES, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT_BYTES
    return memory[start : start + size].view(dtype).reshape(shape)


def content_of(file: Path) -> Array:
    """A file's bytes, read once into memory of our own; other threads run meanwhile. Raises: OSError.

    Not mapped: a page that a failing disk cannot give back any more would end the process at any later time.
    """
    with file.open("rb", buffering=0) as opened:
        content = aligned((file.stat().st_size,), np.dtype(np.uint8))
        view, filled = content.data, 0
        while filled < len(view):
            count = opened.readinto(view[filled:])
            if not count:
                raise OSError(f"{file} ended after {filled} of {len(view)} bytes")
            filled += count
    return content


def resident_bytes() -> int:
    """Memory of this process that is its own (not shared library text or mapped files)."""
    resident, shared = (int(part) for part in Path("/proc/self/statm").read_text().split()[1:3])
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Hand freed memory back to the system; without it a box that swaps models grows. Milliseconds, without the GIL."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; another C library frees by itself
