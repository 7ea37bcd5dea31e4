"""Threads that an engine starts for itself have the priority of whoever loaded the model: the lowest, here.

With one thread an operation there are none, and a model runs on its caller. With more, the line would wait for
workers that everybody else goes before, so they are given the program's own priority back where the system allows it.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.scheduling import rejoin

logger = logging.getLogger(__name__)


@contextmanager
def new_workers_at_normal_priority() -> Iterator[None]:
    """Lift the threads that appear meanwhile and are not Python's to the program's priority."""
    before = _threads()
    yield
    ours = {thread.native_id for thread in threading.enumerate()}
    try:
        for thread in _threads() - before - ours:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                rejoin(thread)
    except PermissionError:
        logger.warning(
            "a model's worker threads keep the low priority of loading, which makes it slower: set `threads = 1`, or "
            "let the service raise priorities (systemd: LimitNICE=+0)"
        )


def _threads() -> set[int]:
    return {int(name.name) for name in Path("/proc/self/task").iterdir()}
