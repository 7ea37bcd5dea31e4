"""The whole seal, in the order that it has to have."""

import logging
import platform
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.sandbox import landlock, seccomp
from appliance.sandbox.kernel import prctl
from appliance.sandbox.syscalls import MACHINES

logger = logging.getLogger(__name__)

_PR_SET_NO_NEW_PRIVS: Final = 38
_OPEN_FILES: Final = 1024
_ALWAYS: Final = (Path("/dev/null"),)
"""Whoever starts a process opens it to write."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What holds from now on."""

    in_force: tuple[str, ...]
    """Sentences."""
    missing: tuple[str, ...]
    """What this kernel, or this machine, cannot do; sentences. The process goes on without; they are logged as well."""


def seal(writable: Sequence[Path], *, devices: Sequence[Path] = (), file_max_bytes: int = 4 << 30) -> Sealed:
    """Seal the calling process and whatever it starts, for ever. Some milliseconds; before other threads start.

    `writable`: folders that exist, and beneath which files may be made and changed; `devices`: device files that may
    be used (a GPU's). Reading stays as it was, and so do sockets that are open already. Raises: RuntimeError where
    the process has more than one thread, OSError where a folder does not exist.
    """
    if _threads() > 1:
        raise RuntimeError("seal() comes before a process starts its second thread")
    _limit(file_max_bytes)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    holds = [f"no new privileges, no cores, no file above {file_max_bytes >> 20} MB, no higher priority"]
    missing: list[str] = []
    for more, less in (_landlock([*writable, *devices, *_ALWAYS]), _seccomp()):
        holds += more
        missing += less
    for sentence in missing:
        logger.warning("The sandbox is not whole: %s.", sentence)
    return Sealed(tuple(holds), tuple(missing))


def _threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def _limit(file_max_bytes: int) -> None:
    """Not the number of processes: the kernel counts all of the user's, the line's with them."""
    for which, wanted in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, file_max_bytes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_RTPRIO, 0),
        (resource.RLIMIT_NICE, 0),
    ):
        hard = resource.getrlimit(which)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (most, most))


def _landlock(writable: Sequence[Path]) -> tuple[list[str], list[str]]:
    found = landlock.version()
    return landlock.restrict(writable, found) if found else ([], [landlock.why_not()])


def _seccomp() -> tuple[list[str], list[str]]:
    machine = MACHINES.get(platform.machine())
    if machine is None:
        return [], [f"system calls are not restricted: their numbers on {platform.machine()} are not known here"]
    try:
        seccomp.install(machine)
    except OSError as error:
        return [], [f"system calls are not restricted: {error.strerror}"]
    return [
        "no sockets, no tracing of or writing to other processes, no mounts, namespaces, keys, BPF or io_uring",
        "priorities and limits of other processes cannot be changed",
    ], []
