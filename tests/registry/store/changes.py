"""Hears of every change that this process is about to make to a disk, and does something before the n-th.

What counts is what Python reports to an audit hook before it does it (whoever asks for it, and by which function), and
writes, fsyncs and the taking of room. A hook cannot be removed: it belongs into a process of its own.
"""

import os
import sys
from collections.abc import Callable

from appliance.registry.store import blobs

_GROWS = {"os.link", "os.mkdir", "os.symlink"}
_OTHERS = {"os.chmod", "os.remove", "os.rename", "os.rmdir", "os.truncate"}
_WRITING = os.O_CREAT | os.O_WRONLY | os.O_RDWR


class Changes:
    """Not armed at first."""

    def __init__(self, *, growing_only: bool = False) -> None:
        """`growing_only`: leave out what takes no room."""
        self.count = 0
        self._at: int | None = None
        self._act: Callable[[], None] = lambda: None
        self._events = _GROWS if growing_only else _GROWS | _OTHERS
        sys.addaudithook(self._hear)
        for place, name in [(os, "write"), (os, "posix_fallocate"), (blobs, "take_room")]:
            self._watch(place, name)
        if not growing_only:
            self._watch(os, "fsync")

    def arm(self, at: int | None, act: Callable[[], None]) -> None:
        """Count from 1 again."""
        self.count, self._at, self._act = 0, at, act

    def disarm(self) -> int:
        """Returns the count."""
        self._at = None
        return self.count

    def _tick(self) -> None:
        self.count += 1
        if self.count == self._at:
            self._at = None
            self._act()

    def _hear(self, event: str, arguments: tuple) -> None:
        if event in self._events or (event == "open" and arguments[2] & _WRITING):
            self._tick()

    def _watch(self, place: object, name: str) -> None:
        call = getattr(place, name)

        def watched(*arguments):
            self._tick()
            return call(*arguments)

        setattr(place, name, watched)
