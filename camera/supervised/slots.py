"""Shared memory for pictures: the driver's process writes, this one reads; a slot is free when its frame is gone."""

import mmap
import os
import weakref
from collections import deque
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

    Threads: take() and view() on the camera's; frames may be dropped on any.
    """

    def __init__(self, fd: int, slot_bytes: int) -> None:
        """Takes over `fd`."""
        self.slot_bytes = slot_bytes
        self._memory = mmap.mmap(fd, slot_bytes * SLOTS, prot=mmap.PROT_READ)
        os.close(fd)
        # The last one freed is the next one used: it is still in the processor's cache.
        self._free = deque(range(SLOTS - 1, -1, -1))

    def take(self) -> int | None:
        """A free slot for the next picture; None where all are held."""
        try:
            return self._free.pop()
        except IndexError:
            return None

    def give_back(self, slot: int) -> None:
        """Nothing was put into it."""
        self._free.append(slot)

    def view(self, slot: int, shape: Sequence[int]) -> npt.NDArray[np.uint8]:
        """The picture in a taken slot, read-only; copied out where it is the last slot but one that is free."""
        pixels: npt.NDArray[np.uint8] = np.ndarray(tuple(shape), np.uint8, self._memory, slot * self.slot_bytes)
        if len(self._free) < 2:
            pixels = pixels.copy()
            pixels.setflags(write=False)
            self._free.append(slot)
        else:
            weakref.finalize(pixels, self._free.append, slot).atexit = False
        return pixels
