"""The process that answers TensorFlow Serving's clients."""

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from appliance.children.child import Child
from appliance.link import Message


class Life(Protocol):
    """The connections of one life of the surface."""

    @property
    def theirs(self) -> Sequence[socket.socket]:
        """For the child to inherit: news first, then those for requests."""

    @property
    def ended(self) -> threading.Event:
        """Set where the line wants no more of it."""

    def end(self) -> None:
        """Both sides notice."""


class Lender(Protocol):
    """The line's models for the surface; see `appliance.lending`."""

    @property
    def workers(self) -> int:
        """0: nothing is lent."""

    def start_life(self) -> Life:
        """Connections for a surface that is about to start."""

    def lend(self) -> None:
        """A thread's body, for each worker."""

    def tell(self) -> None:
        """Another's."""

    def stop(self) -> None:
        """End lend() and tell()."""


class SurfaceChild(Child):
    """TensorFlow Serving's APIs on the line's models."""

    def __init__(self, config_file: Path, lender: Lender, changed: Callable[[], None]) -> None:
        super().__init__("serving process", "requests for predictions are not answered", config_file, changed)
        self._lender = lender
        if not lender.workers:
            self.problem = None  # nobody wants it

    def threads(self) -> dict[str, Callable[[], None]]:
        """What runs for it in the line, by the threads' names; the owner starts them."""
        if not self._lender.workers:
            return {}
        lending = {f"lend/{number}": self._lender.lend for number in range(self._lender.workers)}
        return {"surface": self.run, "lend/news": self._lender.tell, **lending}

    def ask_to_stop(self, grace_s: float) -> None:
        """Take no more requests, and finish those under way within `grace_s`; returns at once."""
        self._stopping.set()
        self.send(b'stop\n{"grace_s":%f}' % grace_s)

    def end(self, timeout_s: float) -> None:
        """End it, by force where it did not within `timeout_s`, and what runs for it in the line."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None:
            self._ended(process, timeout_s)
            self._gone.wait(5.0)
        self._lender.stop()

    def _live(self) -> int:
        life = self._lender.start_life()
        news, *requests = (str(one.fileno()) for one in life.theirs)
        arguments = ["--news", news, "--requests", ",".join(requests)]
        try:
            return self._run_once("appliance.surface", arguments, life.theirs, lambda: not life.ended.is_set())
        finally:
            life.end()

    def _heard(self, message: Message) -> None:
        problem = message.body["problem"]
        self._say(None if problem is None else str(problem)[:1000])
