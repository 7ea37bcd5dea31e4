"""Threads for what takes long: loading and unloading."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import Protocol, runtime_checkable

logger = logging.getLogger(__name__)


class Executor(Protocol):
    """Runs tasks, in the order given, elsewhere."""

    def submit(self, task: Callable[[], None], /) -> None:
        """Take a task and return at once; any thread may call, also one that must not wait. Ignored after stop()."""

    def stop(self, timeout_s: float, /) -> bool:
        """Run no further task; wait at most so long for the one that runs. True when nothing runs any more."""


@runtime_checkable
class Resizable(Protocol):
    """What an executor may be beside: able to change its number of threads while it works."""

    def resize(self, threads: int, /) -> int:
        """Work with so many threads from now on; returns how many there were. No task is lost, none interrupted."""


ExecutorFactory = Callable[[str], Executor]
"""Given what the executor is for ("load", "unload"), build one."""


class ThreadExecutor:
    """`threads` daemon threads, started at once.

    Daemons, because a loader that hangs in foreign code must not keep the process from ending; stop() waits for the
    others. Whoever wants them to be polite passes `at_start`, which each thread calls first (to lower its priority).
    """

    def __init__(self, name: str, *, threads: int = 1, at_start: Callable[[], object] | None = None) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._name = name
        self._at_start = at_start
        self._is_stopped = False
        self._sizing = threading.Lock()
        self._size = 0  # guarded by _sizing, as below
        self._started = 0
        self._threads: list[threading.Thread] = []
        self.resize(threads)

    def submit(self, task: Callable[[], None], /) -> None:
        """See `Executor`."""
        if not self._is_stopped:
            self._tasks.put(task)

    def stop(self, timeout_s: float, /) -> bool:
        """See `Executor`."""
        deadline = monotonic() + timeout_s
        with self._sizing:
            self._is_stopped = True
            remaining = list(self._threads)
        for _ in remaining:
            self._tasks.put(None)
        for thread in remaining:
            thread.join(max(0.0, deadline - monotonic()))
        return not any(thread.is_alive() for thread in remaining)

    def resize(self, threads: int, /) -> int:
        """See `Resizable`. Threads too many end when the tasks given before are begun, so that none waits longer."""
        if threads < 1:
            raise RuntimeError(f"{self._name} cannot work with {threads} threads")
        with self._sizing:
            before, self._size = self._size, threads
            if self._is_stopped:
                return before
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            for _ in range(before, threads):
                self._start_locked()
            for _ in range(threads, before):
                self._tasks.put(None)
            return before

    def _start_locked(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True)
        self._started += 1
        self._threads.append(thread)
        thread.start()

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


def thread_executors(
    *, load_threads: int = 1, unload_threads: int = 1, at_start: Callable[[], object] | None = None
) -> ExecutorFactory:
    """Executors with so many threads to load and to unload with. At least one each: nothing is loaded by who steps."""
    threads = {"load": load_threads, "unload": unload_threads}

    def build(kind: str) -> Executor:
        return ThreadExecutor(kind, threads=threads[kind], at_start=at_start)

    return build
