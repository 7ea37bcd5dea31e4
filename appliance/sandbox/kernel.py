"""System calls that Python has no function for."""

import ctypes
import os
from functools import cache
from typing import Any


def call(number: int, *arguments: Any) -> int:
    """One system call: integers, None, and ctypes pointers. Raises: OSError."""
    result = int(libc().syscall(ctypes.c_long(number), *map(_as_word, arguments)))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def prctl(option: int, *arguments: Any) -> None:
    """Raises: OSError."""
    padded = [*map(_as_word, arguments), *[ctypes.c_ulong(0)] * (4 - len(arguments))]
    if libc().prctl(ctypes.c_int(option), *padded) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


@cache
def libc() -> ctypes.CDLL:
    """The C library of this process."""
    return ctypes.CDLL(None, use_errno=True)


def _as_word(argument: Any) -> Any:
    return ctypes.c_ulong(argument) if isinstance(argument, int) else argument
