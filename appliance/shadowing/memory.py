"""The shared memory of the feed: it grows with the pictures, and is given back when nobody looks."""

import ctypes
import fcntl
import mmap
import os
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from appliance.shadowing.wire import SLOTS

PICTURE_MAX: Final = 256 << 20
"""Bytes of the largest picture that is shown to an examiner."""
_F_ADD_SEALS: Final = 1033
_F_SEAL_SEAL: Final = 0x1
_F_SEAL_SHRINK: Final = 0x2


class SharedMemory:
    """Slots of one size. Sealed against shrinking: whoever has the other end cannot make the line touch nothing.

    Threads: one at a time. Pages are taken where a picture is written.
    """

    def __init__(self) -> None:
        """Raises: OSError."""
        self._fd = os.memfd_create("shadow frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        fcntl.fcntl(self._fd, _F_ADD_SEALS, _F_SEAL_SHRINK | _F_SEAL_SEAL)
        self._map: mmap.mmap | None = None
        self._slot_bytes = 0

    @property
    def slot_bytes(self) -> int:
        """Room in each slot."""
        return self._slot_bytes

    def theirs(self) -> FileIO:
        """For the other process to inherit: to read, not to write. Raises: OSError."""
        return Path(f"/proc/self/fd/{self._fd}").open("rb", buffering=0)

    def make_room(self, picture_bytes: int) -> None:
        """Slots of at least so many bytes. Only while no slot is in use. Raises: OSError, ValueError."""
        if picture_bytes > PICTURE_MAX:
            raise ValueError(f"a picture of {picture_bytes} bytes is too large to be shown")
        page = mmap.PAGESIZE
        self._slot_bytes = -(-picture_bytes // page) * page
        os.ftruncate(self._fd, self._slot_bytes * SLOTS)  # only ever grows: the seal would say so otherwise
        self._map = mmap.mmap(self._fd, self._slot_bytes * SLOTS)

    def put(self, slot: int, pixels: npt.NDArray[np.uint8]) -> int:
        """Copy a picture into its slot, and say where it is; the interpreter's lock is free meanwhile."""
        offset = slot * self._slot_bytes
        np.copyto(np.ndarray(pixels.shape, np.uint8, self._map, offset), pixels)
        return offset

    def give_back(self) -> None:
        """Every page back to the system; who still looks sees black. Without the interpreter's lock."""
        if self._map is not None:
            address = np.frombuffer(self._map, np.uint8).ctypes.data
            _libc().madvise(address, len(self._map), mmap.MADV_REMOVE)

    def close(self) -> None:
        """The line needs it no more."""
        self._map = None
        os.close(self._fd)


@cache
def _libc() -> Any:
    libc = ctypes.CDLL(None)  # mmap.madvise keeps the interpreter's lock
    libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    return libc
