"""News for whoever listens: each piece to everyone, in order, one at a time."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

EventT = TypeVar("EventT")


class EventBus(Generic[EventT]):
    """Takes events down at once, wherever they happen, and delivers them where waiting harms nobody.

    To publish with a lock held gives events the order of the changes they tell of; to deliver without it lets a
    subscriber look at what changed, and change it again.
    Threads: any may call anything. Publishing takes a microsecond and calls nobody.
    """

    def __init__(self) -> None:
        self._undelivered: deque[EventT] = deque()
        self._delivering = threading.Lock()
        self._changing = threading.Lock()
        self._subscribers: tuple[Callable[[EventT], None], ...] = ()  # replaced with _changing held, read without

    def subscribe(self, subscriber: Callable[[EventT], None]) -> Callable[[], None]:
        """Be told of every event that is delivered from now on; call what is returned to end it.

        Told on the thread that delivers: be quick, and never wait there. An error of a subscriber's is logged and
        harms no other.
        """
        with self._changing:
            self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            with self._changing:
                self._subscribers = tuple(each for each in self._subscribers if each is not subscriber)

        return unsubscribe

    def publish(self, event: EventT) -> None:
        """Take an event down; the next deliver() tells of it."""
        self._undelivered.append(event)

    def deliver(self) -> None:
        """Tell subscribers what they have not heard.

        Where another thread is telling already, that one tells this too, and this call returns at once.
        """
        while self._undelivered and self._delivering.acquire(blocking=False):
            try:
                while self._undelivered:
                    event = self._undelivered.popleft()
                    for subscriber in self._subscribers:
                        _tell(subscriber, event)
            finally:
                self._delivering.release()


def _tell(subscriber: Callable[[EventT], None], event: EventT) -> None:
    try:
        subscriber(event)
    except Exception:  # the boundary: a subscriber's bug is not the publisher's
        logger.exception("a subscriber failed at %s", event)
