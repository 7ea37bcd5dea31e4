"""seccomp: which system calls a process still has. See seccomp(2); the filter is classic BPF."""

import ctypes
import errno
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from appliance.sandbox.kernel import call, prctl
from appliance.sandbox.syscalls import Machine

_LOAD, _EQUAL, _FROM, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""BPF: load a word, jump if equal, if at least, if any bit is set, return."""
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Where a filter finds them, in bytes; each argument has 8, the lower half first."""
_ALLOW: Final = 0x7FFF_0000
_REFUSE: Final = 0x0005_0000
_SET_FILTER, _SPEC_ALLOW = 1, 1 << 2
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_NEW_NAMESPACES: Final = 0x7E02_0000

ABSENT: Final = frozenset({"clone3"})
"""Answered as by a kernel that is too old for it; the C library then takes clone, whose flags a filter can read."""
WITHOUT_NAMESPACES: Final = "clone"
ONLY_ITSELF: Final[Mapping[str, Mapping[int, int]]] = {
    "sched_setaffinity": {0: 0},
    "sched_setattr": {0: 0},
    "sched_setparam": {0: 0},
    "sched_setscheduler": {0: 0},
    "prlimit64": {0: 0},
    "setpriority": {0: 0, 1: 0},
    "ioprio_set": {0: 1, 1: 0},
}
"""Allowed where these arguments have these values: for the calling thread, and not for another process of the user,
which the line's is."""


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_so", ctypes.c_uint8),
        ("if_not", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


_Line = tuple[int, int, int, int]


def install(machine: Machine) -> None:
    """For the calling thread and what it starts; needs no_new_privs. Raises: OSError."""
    lines = program(machine)
    filter_ = (_Instruction * len(lines))(*(_Instruction(*line) for line in lines))
    given = _Program(len(lines), filter_)
    # Without SPEC_ALLOW older kernels slow the processor down for whoever has a filter.
    with suppress(OSError):
        call(machine.numbers["seccomp"], _SET_FILTER, _SPEC_ALLOW, ctypes.byref(given))
        return
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(given))


def program(machine: Machine) -> list[_Line]:
    """The filter: each rule skips itself where it is about another call."""
    refused = _return(_REFUSE | errno.EPERM)
    lines = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, machine.audit), refused, (_LOAD, 0, 0, _NUMBER)]
    if machine.foreign_from is not None:
        lines += [(_FROM, 0, 1, machine.foreign_from), refused]
    for name, number in machine.numbers.items():
        if name == WITHOUT_NAMESPACES:
            rule = [_argument(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), refused, _return(_ALLOW)]
        elif name in ONLY_ITSELF:
            rule = [_return(_ALLOW)]
            for index, value in ONLY_ITSELF[name].items():
                rule = [_argument(index), (_EQUAL, 1, 0, value), refused, *rule]
        elif name in ABSENT:
            rule = [_return(_REFUSE | errno.ENOSYS)]
        elif name == "seccomp":
            continue  # a filter may be added, never taken away
        else:
            rule = [refused]
        lines += [(_EQUAL, 0, len(rule), number), *rule]
    return [*lines, _return(_ALLOW)]


def _argument(index: int) -> _Line:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _return(value: int) -> _Line:
    return (_RETURN, 0, 0, value)
