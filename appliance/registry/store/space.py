"""Room on the disk: asked for before it is needed, and said in a sentence when there is none."""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from appliance.registry.errors import NoSpace, StoreError

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
MARGIN_BYTES: Final = 256 << 10
"""Left free by whoever asks for room: folders, links and the journal need some too."""
_KEEP_SIZE: Final = 1  # FALLOC_FL_KEEP_SIZE of linux/falloc.h
_UNSUPPORTED: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV})
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def explained(what: str, where: Path) -> Iterator[None]:
    """The one place where the disk's errors become ours. `what` ends the sentence "cannot ..."."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise NoSpace(
                f"cannot {what}: the disk of {where} is full; remove files there or take a larger disk"
            ) from error
        detail = os.strerror(error.errno) if error.errno else str(error)
        raise StoreError(
            f"cannot {what}: {error.filename or where}: {detail}; look after the disk and its access rights"
        ) from error


def free_bytes(folder: Path) -> int:
    """What this process may still take there. Raises OSError."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def require_room(folder: Path, count: int, what: str) -> None:
    """Raises NoSpace where `count` bytes and a margin are not free there; OSError."""
    free = free_bytes(folder)
    if free < count + MARGIN_BYTES:
        raise NoSpace(
            f"no room for {what} in {folder}: it needs {shown(count + MARGIN_BYTES)} and {shown(free)} are free; "
            "remove files on that disk or take a larger one"
        )


def take_room(descriptor: int, offset: int, count: int) -> None:
    """Blocks for what will be written from `offset` on; the file does not grow. Raises OSError where there are none.

    A file system that cannot do that (some network and flash ones) is left with what `require_room` saw.
    """
    if count == 0:
        return
    allocate = getattr(_LIBC, "fallocate64", None) or _LIBC.fallocate
    allocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    while allocate(descriptor, _KEEP_SIZE, offset, count) != 0:
        number = ctypes.get_errno()
        if number in _UNSUPPORTED:
            return
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


def shown(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
