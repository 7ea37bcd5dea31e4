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


class FileContent:
    """A file's bytes, read once into memory that is given back without holding the interpreter's lock.

    Not mapped: a page that a failing disk cannot give back any more would end the process at any later time. Not a
    numpy array: freeing 100 MB takes 7 ms, and numpy would hold the lock meanwhile.
    """

    def __init__(self, file: Path) -> None:
        """Raises: OSError, MemoryError."""
        with file.open("rb", buffering=0) as opened:
            self.size = file.stat().st_size
            room = -(-max(self.size, 1) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
            self.address: int = _libc().aligned_alloc(ALIGNMENT_BYTES, room) or 0
            if not self.address:
                raise MemoryError(f"no room for the {self.size} bytes of {file}")
            view = memoryview((ctypes.c_char * self.size).from_address(self.address)).cast("B")
            filled = 0
            while filled < self.size and (count := opened.readinto(view[filled:])):
                filled += count
        if filled < self.size:
            self.close()
            raise OSError(f"{file} ended after {filled} of {self.size} bytes")

    def close(self) -> None:
        """Give the memory back; does nothing the second time. Nobody may look at it any more."""
        if self.address:
            _libc().free(self.address)
            self.address = 0


def resident_bytes() -> int:
    """Memory of this process that is its own (not shared library text or mapped files)."""
    resident, shared = (int(part) for part in Path("/proc/self/statm").read_text().split()[1:3])
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Hand freed memory back to the system; without it a box that swaps models grows. Milliseconds, without the GIL."""
    if hasattr(_libc(), "malloc_trim"):  # glibc's; another C library frees by itself
        _libc().malloc_trim(0)


@cache
def _libc() -> Any:
    libc = ctypes.CDLL(None)
    libc.aligned_alloc.restype, libc.aligned_alloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t, ctypes.c_size_t)
    libc.free.restype, libc.free.argtypes = None, (ctypes.c_void_p,)
    return libc
