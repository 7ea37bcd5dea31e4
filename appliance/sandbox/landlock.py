"""Landlock: what may be written, whom signals reach, whether TCP is spoken. See landlock(7)."""

import ctypes
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.sandbox.kernel import call

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same number on every machine."""
_VERSION: Final = 1
_PATH_BENEATH: Final = 1

_WRITE_FILE, _TRUNCATE, _REFER, _IOCTL_DEV = 1 << 1, 1 << 14, 1 << 13, 1 << 15
_REMOVE_AND_MAKE: Final = sum(1 << bit for bit in range(4, 13))
"""Remove folder and file; make character device, folder, file, socket, pipe, block device, link."""
_WRITES_BY_VERSION: Final = ((1, _WRITE_FILE | _REMOVE_AND_MAKE), (2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV))
_OF_FILES: Final = _WRITE_FILE | _TRUNCATE | _IOCTL_DEV
"""What means anything for a file that is no folder."""
_TCP, _TCP_SINCE = 0b11, 4
_SCOPES, _SCOPES_SINCE = 0b11, 6
"""Abstract Unix sockets, and signals."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Of the kernel's Landlock; 0 where there is none, or none that this process may use."""
    try:
        return call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return 0


def restrict(writable: Sequence[Path], found: int) -> tuple[list[str], list[str]]:
    """Restrict the calling thread, with Landlock of version `found` (from 1).

    Returns sentences: what holds, and what this kernel's Landlock is too old for. Raises: OSError.
    """
    writes = sum(rights for since, rights in _WRITES_BY_VERSION if found >= since)
    attributes = _Ruleset(
        files=writes, net=_TCP if found >= _TCP_SINCE else 0, scoped=_SCOPES if found >= _SCOPES_SINCE else 0
    )
    size = 8 if found < _TCP_SINCE else 16 if found < _SCOPES_SINCE else 24
    ruleset = call(_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    try:
        for path in writable:
            _allow(ruleset, path, writes)
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    holds = [f"files are written only beneath {', '.join(map(str, writable))} (Landlock {found})"]
    if found >= _SCOPES_SINCE:
        return [*holds, "signals and abstract sockets reach nobody outside"], []
    return holds, [f"the kernel's Landlock ({found}) does not keep signals from the appliance's other processes"]


def _allow(ruleset: int, path: Path, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        allowed = rights if path.is_dir() else rights & _OF_FILES
        rule = _Beneath(allowed=allowed, parent=parent)
        call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(parent)


def why_not() -> str:
    """A sentence on why there is no Landlock here."""
    try:
        call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError as error:
        reasons = {
            errno.ENOSYS: "this kernel has none",
            errno.EOPNOTSUPP: "it is switched off at the kernel's start (lsm=)",
            errno.EPERM: "the service's SystemCallFilter= does not let it",
        }
        return f"writing elsewhere is not refused: no Landlock, since {reasons.get(error.errno or 0, str(error))}"
    return ""
