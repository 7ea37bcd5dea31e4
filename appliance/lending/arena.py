"""Memory for what is received, the same for every message: nothing is mapped or freed while somebody waits for a lock.

To map and to free a large array takes milliseconds, and numpy would hold the interpreter's lock meanwhile.
"""

import ctypes
import mmap
from functools import cache
from typing import Any, Final

import numpy as np

from appliance.runtimes.model import Array

_KEPT_BYTES: Final = 4 << 20
"""Of what a message has touched, so much stays for the next; the rest goes back to the system."""


class Arena:
    """Room for one message at a time. Reserves addresses; memory is taken where a message is written."""

    def __init__(self, size: int) -> None:
        self._memory = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._array: Array = np.frombuffer(self._memory, np.uint8)
        self._used = 0

    def room(self, size: int) -> Array:
        """The first `size` bytes, whatever lies there; not more than was reserved."""
        self._used = max(self._used, size)
        return self._array[:size]

    def trim(self) -> None:
        """Give back what a large message has taken; nobody may need it any more. Without the interpreter's lock."""
        if self._used > _KEPT_BYTES:
            kept = -(-_KEPT_BYTES // mmap.PAGESIZE) * mmap.PAGESIZE
            _libc().madvise(self._array.ctypes.data + kept, self._used - kept, mmap.MADV_DONTNEED)
        self._used = 0


@cache
def _libc() -> Any:
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    return libc
