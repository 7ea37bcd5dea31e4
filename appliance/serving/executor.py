"""Threads for what takes long: loading and unloading."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import Protocol

logger = logging.getLogger(__name__)


class Executor(Protocol):
    """Runs tasks, in the order given, elsewhere."""

    def submit(self, task: Callable[[], None], /) -> None:
        """Take a task and return at once; any thread may call, also one that must not wait. Ignored after stop()."""

    def stop(self, timeout_s: float, /) -> bool:
        """Run no further task; wait at most so long for the one that runs. True when nothing runs any more."""


ExecutorFactory = Callable[[str], Executor]
"""Given what the executor is for ("load", "unload"), build one."""


class ThreadExecutor:
    """`threads` daemon threads, started at once.

    Daemons, because a loader that hangs in foreign code must not keep the process from ending; stop() waits for the
    others. Whoever wants them to be polite passes `at_start`, which each thread calls first (to lower its priority).
    """

    def __init__(self, name: str, *, threads: int = 1, at_start: Callable[[], object] | None = None) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._at_start = at_start
        self._is_stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Callable[[], None], /) -> None:
        """See `Executor`."""
        if not self._is_stopped:
            self._tasks.put(task)

    def stop(self, timeout_s: float, /) -> bool:
        """See `Executor`."""
        deadline = monotonic() + timeout_s
        self._is_stopped = True
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        if self._at_start is not None:
            self._try(self._at_start)
        while (task := self._tasks.get()) is not None:
            if not self._is_stopped:
                self._try(task)

    def _try(self, task: Callable[[], object]) -> None:
        try:
            task()
        except Exception:  # the boundary: a bug in one task is its own, the next one still runs
            logger.exception("a task on %s failed", threading.current_thread().name)
