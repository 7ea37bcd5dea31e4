"""One at a time for each version."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from appliance.serving.ids import ServableId


class Turns:
    """A lock for each id, kept only as long as somebody holds it or waits for it.

    Threads: any.
    """

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._locks: dict[ServableId, threading.Lock] = {}  # guarded by _counting, as below
        self._users: dict[ServableId, int] = {}

    @contextmanager
    def take(self, wanted: ServableId, timeout_s: float) -> Iterator[bool]:
        """Hold the id's lock; False where it was not to be had in time."""
        with self._counting:
            lock = self._locks.setdefault(wanted, threading.Lock())
            self._users[wanted] = self._users.get(wanted, 0) + 1
        try:
            is_taken = lock.acquire(timeout=min(timeout_s, threading.TIMEOUT_MAX))
            try:
                yield is_taken
            finally:
                if is_taken:
                    lock.release()
        finally:
            with self._counting:
                self._users[wanted] -= 1
                if not self._users[wanted]:
                    del self._locks[wanted], self._users[wanted]
