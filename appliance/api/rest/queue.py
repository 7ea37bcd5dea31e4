"""Requests that wait for a thread, at most so many: who comes too late is told at once instead of waiting in vain."""

from typing import Any

from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import Error


class TooManyRequests(Error):  # type: ignore[misc]
    """In the form in which waitress keeps what is wrong with a request."""

    code = 429
    reason = "Too Many Requests"


class BoundedDispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """waitress' own has no bound. Refusing has a thread of its own, so that it is quick while all others work."""

    def __init__(self, threads: int, queued_max: int) -> None:
        """Starts its threads."""
        super().__init__()
        self._queued_max = queued_max
        self._refusing = ThreadedTaskDispatcher()
        self.set_thread_count(threads)
        self._refusing.set_thread_count(1)

    def add_task(self, task: Any) -> None:
        """Called by the thread that moves bytes, with a connection that has a complete request."""
        with self.lock:
            waiting = len(self.queue)
            idle = len(self.threads) - self.stop_count - self.active_count
        if waiting - idle < self._queued_max:
            with self.lock:
                self.queue.append(task)
                self.queue_cv.notify()
            return
        task.requests[0].error = TooManyRequests(
            f"{waiting} requests wait already, and no more may; ask again later, or ask more than one server."
        )
        self._refusing.add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:  # noqa: FBT001, FBT002 - waitress'
        """End all threads."""
        self._refusing.shutdown(cancel_pending, timeout)
        ended: bool = super().shutdown(cancel_pending, timeout)
        return ended
