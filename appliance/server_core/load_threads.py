"""The threads that load, whose number may change: many for the first load, few beside what serves."""

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

logger = logging.getLogger(__name__)


class LoadThreads:
    """An Executor (see appliance.serving). Daemon threads: a loader that hangs must not keep the process from ending.

    Threads: any may call anything.
    """

    def __init__(self, name: str, threads: int, *, at_start: Callable[[], object] | None = None) -> None:
        """Start so many; each calls `at_start` first."""
        self._name = name
        self._at_start = at_start
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []  # guarded by _lock, as below; those that have ended included
        self._wanted = 0
        self._is_stopped = False
        self.set_threads(threads)

    def submit(self, task: Callable[[], None], /) -> None:
        """Take a task and return at once; ignored after stop()."""
        if not self._is_stopped:
            self._tasks.put(task)

    def set_threads(self, threads: int) -> None:
        """Be so many from now on. Tasks that were submitted before are run all the same. Returns at once."""
        with self._lock:
            for _ in range(self._wanted - threads):
                self._tasks.put(None)  # whoever takes it ends
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            for number in range(threads - self._wanted):
                thread = threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._wanted = threads

    def stop(self, timeout_s: float, /) -> bool:
        """Run no further task; wait at most so long for those that run. True when nothing runs any more."""
        deadline_s = time.monotonic() + timeout_s
        self._is_stopped = True
        self.set_threads(0)
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
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
