"""Processes that are killed at the n-th change they make to the disk.

Each life is a fork of the test: `os.fork`, so that hundreds of them take seconds. What counts as a change is what
Python reports to an audit hook before it does it, and writes and fsyncs.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable

NOBODY = 65534
_CHANGES = {
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
}
_WRITING = os.O_CREAT | os.O_WRONLY | os.O_RDWR


class Changes:
    """Counts changes; dies before the `last`-th."""

    def __init__(self, last: int | None = None) -> None:
        self.count = 0
        self._last = last
        sys.addaudithook(self._hear)
        for name in ("write", "fsync", "posix_fallocate"):
            setattr(os, name, self._counted(getattr(os, name)))

    def tick(self) -> None:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event in _CHANGES or (event == "open" and arguments[2] & _WRITING):
            self.tick()

    def _counted(self, call: Callable) -> Callable:
        def counted(*arguments):
            self.tick()
            return call(*arguments)

        return counted


def live(act: Callable[[Changes], None], last: int | None = None) -> int | None:
    """Do `act` in a process of its own, as a user without rights where possible. None: killed; else the changes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            changes = Changes(last)
            act(changes)
            count = changes.count
            changes._last = None
            os.write(writing, str(count).encode())
            code = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as answer:
        told = answer.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return None
    assert status == 0, "the child's own report is on standard error"
    return int(told)
