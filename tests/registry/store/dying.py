"""Lives that are killed at the n-th change they make to the disk; each is a fork, so that hundreds take seconds."""

import os
import signal
import sys
import traceback
from collections.abc import Callable

from registry.store.changes import Changes

NOBODY = 65534


def live(act: Callable[[], None], last: int | None = None) -> int | None:
    """Do `act` in a process of its own, as a user without rights where possible.

    It is killed before its change number `last`. Returns None where it was, else how many changes it made.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            changes = Changes()
            changes.arm(last, lambda: os.kill(os.getpid(), signal.SIGKILL))
            act()
            os.write(writing, str(changes.disarm()).encode())
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
