"""Shared memory for pictures: the driver's process writes, this one reads; a slot is free when its frame is gone."""

import math
import mmap
import os
import weakref
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

SLOTS: Final = 12
"""Frames that may be held at once without a copy: those that wait for the station, those in hand, and some."""


def new_memory(slot_bytes: int) -> tuple[int, mmap.mmap]:
    """Room for SLOTS pictures of so many bytes: file descriptor and map. Nothing is used before it is written."""
    fd = os.memfd_create("camera frames", os.MFD_CLOEXEC)
    os.ftruncate(fd, slot_bytes * SLOTS)
    return fd, mmap.mmap(fd, slot_bytes * SLOTS)


def put(memory: mmap.mmap, slot: int, slot_bytes: int, pixels: npt.NDArray[np.uint8]) -> None:
    """Copy a picture into its slot: 0.6 ms for 1920 x 1200 x 3."""
    there = np.ndarray(pixels.shape, np.uint8, memory, slot * slot_bytes)
    np.copyto(there, pixels)


class Slots:
    """The reader's side. A frame's pixels lie in the slot itself; the slot is free again when nothing refers to them.

    Threads: upcoming and view() on the camera's; frames may be dropped on any.
    """

    def __init__(self, fd: int, slot_bytes: int) -> None:
        """Takes over `fd`."""
        self._slot_bytes = slot_bytes
        self._memory = mmap.mmap(fd, slot_bytes * SLOTS, prot=mmap.PROT_READ)
        os.close(fd)
        self._free = list(range(SLOTS))

    @property
    def upcoming(self) -> int:
        """Where the next picture goes; it stays free until view(). The last one freed: it is still in the cache."""
        return self._free[-1]

    def view(self, slot: int, shape: Sequence[int]) -> npt.NDArray[np.uint8]:
        """The picture that was put into `upcoming`, read-only; copied out where it is the last slot but one.

        Raises: ValueError where such a picture does not fit into a slot.
        """
        if math.prod(shape) > self._slot_bytes or min(shape) < 1:
            raise ValueError(f"a picture of {list(shape)} in a slot of {self._slot_bytes} bytes")
        pixels: npt.NDArray[np.uint8] = np.ndarray(tuple(shape), np.uint8, self._memory, slot * self._slot_bytes)
        if len(self._free) <= 2:
            pixels = pixels.copy()
            pixels.setflags(write=False)
        else:
            self._free.remove(slot)
            weakref.finalize(pixels, self._free.append, slot).atexit = False
        return pixels
