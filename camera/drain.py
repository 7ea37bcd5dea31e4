"""A thread that takes whatever a source gives, at once, so that nothing grows old in the source's own queue."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from camera.errors import CameraLost, CameraTimeout

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Taken(Generic[Item]):
    """One item, once."""

    item: Item
    passed_over: int
    """Items between the one before and this for which there was no room."""


class Drain(Generic[Item]):
    """Calls `take` again and again on a thread of its own, and keeps the newest `room` items.

    room = 1: who reads gets the newest item; room = 8: every item in order, until a slow reader is 8 behind and the
    oldest are passed over. Both are counted.
    `take` returns the next item, or None where none came this time (it then is called again, so it has to wait by
    itself); what it raises ends the drain, and is raised by next() after the items that were taken before.
    Threads: `take` and `ended` on the drain's own; next(), check() and drop() on the reader's; end() and join() on any.
    """

    def __init__(
        self,
        take: Callable[[], Item | None],
        *,
        room: int,
        ended: Callable[[], object] = lambda: None,
        name: str = "drain",
    ) -> None:
        """`ended` is the last thing that its thread calls, always: there the source is let go of."""
        self._take = take
        self._ended = ended
        self._room = room
        self._changed = threading.Condition()  # guards the five below
        self._items: deque[Item] = deque()
        self._passed_over = 0
        self._passed_over_ever = 0
        self._error: Exception | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Once."""
        self._thread.start()

    @property
    def passed_over(self) -> int:
        """Items for which there was no room, since start(). From any thread."""
        return self._passed_over_ever

    @property
    def is_over(self) -> bool:
        """end() was called, or the source failed: `take` is not called again. From any thread."""
        return self._is_over

    def next(self, timeout_s: float) -> Taken[Item]:
        """The oldest item kept. Each is given once.

        Raises: CameraTimeout (nothing came), CameraLost (after end()), whatever `take` raised.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._is_over, timeout_s):
                raise CameraTimeout(f"no frame within {timeout_s:g} s")
            if self._items:
                taken = Taken(self._items.popleft(), self._passed_over)
                self._passed_over = 0
                return taken
            raise self._error or CameraLost("the camera was closed")

    def check(self) -> None:
        """Raises what next() would raise at once; nothing where there are items, or may be some."""
        with self._changed:
            if self._is_over and not self._items:
                raise self._error or CameraLost("the camera was closed")

    def drop(self) -> None:
        """Forget the items that were kept, as if they had never come."""
        with self._changed:
            self._items.clear()
            self._passed_over = 0

    def end(self) -> None:
        """No more items: what was kept is dropped, and next() raises CameraLost. At once; see join()."""
        with self._changed:
            self._is_over = True
            self._error = None
            self._items.clear()
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait until the thread has ended and let go of the source. False: it has not, `take` still waits."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._is_over:
                item = self._take()
                if item is not None:
                    self._keep(item)
        except Exception as error:  # noqa: BLE001  # whatever it is belongs to who reads: this thread has nobody
            self._fail(error)
        finally:
            self._ended()

    def _keep(self, item: Item) -> None:
        with self._changed:
            if self._is_over:
                return
            if len(self._items) >= self._room:
                self._items.popleft()
                self._passed_over += 1
                self._passed_over_ever += 1
            self._items.append(item)
            self._changed.notify_all()

    def _fail(self, error: Exception) -> None:
        with self._changed:
            if not self._is_over:
                self._error = error
                self._is_over = True
            self._changed.notify_all()
