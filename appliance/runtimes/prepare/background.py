"""Makes this process one that nobody notices: the lowest priority for processor and disk, the first to be ended."""

import ctypes
import os
import platform
import resource
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.scheduling import keep_off_the_line

_NICE_MAX: Final = 19
_PR_SET_PDEATHSIG: Final = 1
_IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30}
_IOPRIO_WHO_PROCESS: Final = 1
_IOPRIO_IDLE: Final = 3 << 13


def become_background(data_max_bytes: int) -> None:
    """Give way to everything else, hold at most `data_max_bytes` of memory, end when the parent ends.

    What the system refuses is left: it costs the line a little time, not a part.
    """
    os.nice(_NICE_MAX)
    keep_off_the_line()  # priority alone is not enough: shared memory and hypervisors know none
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    libc = ctypes.CDLL(None, use_errno=True)
    if (number := _IOPRIO_SET.get(platform.machine())) is not None:
        libc.syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (data_max_bytes, data_max_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
