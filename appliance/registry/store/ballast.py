"""Disk kept for bad times: on a full disk the journal could not be written either, nor the way back be taken."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from appliance.registry.store.durable import file_size, remove_file
from appliance.registry.store.space import FULL, MARGIN_BYTES, free_bytes

_Answer = TypeVar("_Answer")


class Ballast:
    """A file of nothing. One thread at a time."""

    def __init__(self, file: Path, count: int) -> None:
        """`count` bytes; 0: no ballast."""
        self._file = file
        self._count = count

    def written(self, act: Callable[[], _Answer]) -> _Answer:
        """Do `act`; on a full disk let the ballast go and do it again. `act` may be repeated. Raises OSError."""
        try:
            return act()
        except OSError as error:
            if error.errno not in FULL or not remove_file(self._file):
                raise
        return act()

    def restore(self) -> None:
        """Take it aboard where the disk has room for that and as much again as a margin; else try later."""
        if not self._count or self.is_aboard():
            return
        try:
            if free_bytes(self._file.parent) < self._count + 2 * MARGIN_BYTES:
                return
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._count)
            finally:
                os.close(descriptor)
        except OSError:
            remove_file(self._file)  # half a ballast is none; `trouble` goes on saying so

    def is_aboard(self) -> bool:
        """All of it."""
        return file_size(self._file) == self._count

    def trouble(self) -> str | None:
        """A sentence while it is not aboard."""
        if not self._count or self.is_aboard():
            return None
        return (
            f"the disk of {self._file.parent} was full, and what was kept back for that ({self._count / 1e6:.0f} MB) "
            "is in use; remove files there or take a larger disk"
        )
