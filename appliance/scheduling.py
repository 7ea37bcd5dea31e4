"""Who gets the processor first: the threads that a part waits for, then the line's others, then all else.

Measured beside the preparation of a ResNet-50 on two processors (deploy/decisions/0010): at a raised ordinary priority
the kernel let other work finish its slice of 4 ms first, several times a part. A real-time thread is let in at once,
but not where the processor is inside the kernel, or taken away by a hypervisor, for somebody who allocates gigabytes:
28 ms. So what may take long also keeps to processors of its own. The real-time threads sleep most of the time, and the
kernel keeps 5 % of each second for the others even if one of them should not.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LINE_NICE: Final = -5
_LOADER_NICE: Final = 5
_LENDER: Final = 1
_SWITCH_S: Final = 0.0005
"""A thread that goes on computing in Python lets another in after so long; Python's own 5 ms, several times a part, are
too much where a stranger's request brings thousands of strings."""
REAL_TIME: Final = {"trigger": 13, "exposures": 13, "deadline": 12, "station": 11, "camera": 10, "driver": 9}
"""Priorities in SCHED_RR, by what a thread does. A verdict under way goes before the next exposure; neither keeps a
trigger's moment, or a deadline, from being seen. Well below the kernel's threads for interrupts (50)."""


def put_the_line_first() -> None:
    """The calling process, and threads that it starts from now on, before the box's ordinary work."""
    sys.setswitchinterval(_SWITCH_S)
    with contextlib.suppress(PermissionError):  # the unit gives it; a person who tries the line out may not have it
        os.setpriority(os.PRIO_PROCESS, 0, min(_LINE_NICE, os.getpriority(os.PRIO_PROCESS, 0)))


def enter_real_time(role: str, task: int = 0) -> bool:
    """The thread `task` (0: the caller) into SCHED_RR, and onto the line's processors.

    What it starts later is ordinary again. False, and nothing changed, where the system does not allow it.
    """
    try:
        os.sched_setscheduler(task, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME[role]))
    except (PermissionError, ProcessLookupError):
        return False
    _keep_to(_halves()[0], task)
    return True


def stand_back() -> None:
    """The calling thread, and what it starts, come after the line's and keep off its processors.

    Not the very last: a thread that has the interpreter's lock and is kept from the processor by somebody else's work
    would keep the line waiting with it. What is heavy, the preparation, is a process of its own and does come last.
    """
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOADER_NICE)
    keep_off_the_line()


def lend() -> None:
    """As stand_back(), for a thread that takes the interpreter's lock for microseconds, often, beside a busy box.

    While it has the lock the line waits for it, so nobody ordinary may keep it from its processor: it is real-time,
    below all others, where the system allows it. What takes longer, and needs no lock, it does as_ordinary().
    """
    stand_back()
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(_LENDER))


@contextlib.contextmanager
def as_ordinary() -> Iterator[None]:
    """The calling thread is no real-time thread within, and what it starts there neither. Two system calls."""
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    if not policy & os.SCHED_RR:
        yield
        return
    os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def keep_off_the_line() -> None:
    """The calling thread, and what it starts, never run on the line's processors."""
    _keep_to(_halves()[1])


def spare_processors() -> int:
    """How many processors are not the line's; at least 1."""
    return max(1, len(_halves()[1] & os.sched_getaffinity(os.getpid())))


def rejoin(task: int) -> None:
    """A thread that was started by one that stood back gets the process' own priority and processors again.

    Raises: PermissionError, ProcessLookupError.
    """
    os.sched_setaffinity(task, os.sched_getaffinity(os.getpid()))
    os.setpriority(os.PRIO_PROCESS, task, os.getpriority(os.PRIO_PROCESS, os.getpid()))


def name_thread(name: str) -> None:
    """The calling thread's name as `top -H` and `perf` show it: its last 15 characters."""
    with contextlib.suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name[-15:], encoding="utf-8")


def _halves() -> tuple[set[int], set[int]]:
    """The line's processors, and the others'. By number, so that a child that was confined finds the same ones."""
    count = os.cpu_count() or 1
    return set(range(count // 2)), set(range(count // 2, count))


def _keep_to(processors: set[int], task: int = 0) -> None:
    """As far as the task may use them at all (a container, `CPUAffinity=`); where it may not, it stays where it is."""
    with contextlib.suppress(OSError):
        if usable := processors & os.sched_getaffinity(task):
            os.sched_setaffinity(task, usable)
