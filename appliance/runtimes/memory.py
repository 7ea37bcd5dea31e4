"""How much memory this process holds, and how what was freed goes back to the system."""

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any


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
