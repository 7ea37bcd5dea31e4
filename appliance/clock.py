"""Whether the wall clock can be trusted: asked of the kernel, which time daemons tell."""

import ctypes
import ctypes.util
from typing import Final

_TIME_ERROR: Final = 5
"""adjtimex(2): the clock is not synchronized."""
_TIMEX_BYTES: Final = 512
"""struct timex has 208 bytes on 64-bit Linux; the kernel writes no more than it has."""


def synchronized() -> bool | None:
    """True where a time daemon keeps the clock right; None where the system does not say. A few microseconds."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError):
        return None
    state = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))  # modes 0: reads, changes nothing
    return None if state < 0 else bool(state != _TIME_ERROR)
