"""How much memory a driver's process may have: one that leaks is replaced before the computer runs out of it."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

EXIT_CODE: Final = 77
"""With which a driver's process ends that has too much."""
_OOM_SCORE: Final = "500"
_LEAST_BYTES: Final = 1 << 30


def limit_bytes() -> int:
    """A quarter of the computer's memory, at least 1 GiB: room for the pictures that a library holds."""
    return max(_LEAST_BYTES, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4)


def own_bytes() -> int:
    """What this process has for itself, without what it shares (pictures on their way, libraries). 20 microseconds."""
    _size, resident, shared, *_ = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def end_this_one_first() -> None:
    """Where memory runs out all the same, the kernel takes the driver, and not who judges its pictures."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
