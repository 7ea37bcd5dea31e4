"""A process of the line: started, listened to, and started again alone when it dies."""

import logging
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from appliance.link import Link, Message

logger = logging.getLogger(__name__)

_BACK_OFF_S: Final = (0.5, 10.0)
"""First and longest wait before it is started again; without limit, for the line goes on meanwhile."""
_HEALTHY_S: Final = 30.0
"""Having run for so long, a child is started again after the first wait."""
_LOOK_S: Final = 1.0
_LEAVES_S: Final = 2.0
"""A child that talks to us no more has so long to end by itself."""


class Inherited(Protocol):
    """A socket or a file that a child gets."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class Child(ABC):
    """Keeps one process running, whatever becomes of it.

    Threads: run() is the owner's thread for it; every other method may be called by any.
    """

    def __init__(self, name: str, missing: str, config_file: Path, changed: Callable[[], None]) -> None:
        """`missing`: what is not done while it is away. `changed`: it died, is back, or has said something."""
        self._name = name
        self._missing = missing
        self._config_file = config_file
        self._changed = changed
        self._stopping = threading.Event()
        self._gone = threading.Event()
        self._lock = threading.Lock()
        self._link: Link | None = None  # guarded by _lock
        self._process: subprocess.Popen[bytes] | None = None  # guarded by _lock
        self.problem: str | None = f"The {name} has not started yet."
        """Why it does not do its work at present; None while it does."""

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        with self._lock:
            return None if self._process is None else self._process.pid

    def send(self, raw: bytes) -> bool:
        """A datagram, as `Link.send_raw`; dropped while the child is away."""
        with self._lock:
            return self._link is not None and self._link.send_raw(raw)

    def run(self) -> None:
        """Until it is told to end: start it, listen to it, start it again."""
        wait_s = _BACK_OFF_S[0]
        while not self._stopping.is_set():
            started = time.monotonic()
            code = self._live()
            if self._stopping.is_set():
                break
            if time.monotonic() - started > _HEALTHY_S:
                wait_s = _BACK_OFF_S[0]
            self._say(
                f"The {self._name} ended with code {code}; {self._missing}. "
                f"It is started again in {wait_s:.1f} s; its reason is in the log."
            )
            self._stopping.wait(wait_s)
            wait_s = min(wait_s * 2, _BACK_OFF_S[1])
        self._gone.set()

    @abstractmethod
    def _live(self) -> int:
        """Start it, and listen to it until it ends; its exit code."""

    @abstractmethod
    def _heard(self, message: Message) -> None:
        """What it said. Raises: ValueError, KeyError, TypeError where that means nothing."""

    def _run_once(
        self, module: str, arguments: Sequence[str], inherited: Sequence[Inherited], is_wanted: Callable[[], bool]
    ) -> int:
        """One life of the child, ended where it is not wanted any more; its exit code."""
        link, theirs = Link.pair()
        command = [sys.executable, "-m", module, "--config", str(self._config_file), *arguments]
        passed = [one.fileno() for one in (theirs, *inherited)]
        try:
            process = subprocess.Popen(
                [*command, "--link", str(theirs.fileno())], pass_fds=passed, stdin=subprocess.DEVNULL
            )
        finally:
            for one in (theirs, *inherited):
                one.close()
        with self._lock:
            self._link, self._process = link, process
        self._say(None)
        try:
            self._listen(link, is_wanted)
        finally:
            with self._lock:
                self._link = self._process = None
            link.close()
        return self._ended(process, _LEAVES_S)

    def _listen(self, link: Link, is_wanted: Callable[[], bool]) -> None:
        """Until it is gone, talks nonsense, or is not wanted any more."""
        try:
            while is_wanted():
                try:
                    message = link.receive(_LOOK_S)
                except TimeoutError:
                    continue
                if message is None:
                    return
                self._heard(message)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.error("The %s talks nonsense and is ended: %r.", self._name, error)  # noqa: TRY400

    def _ended(self, process: "subprocess.Popen[bytes]", timeout_s: float) -> int:
        """Its exit code; it is killed where it does not end by itself."""
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _say(self, problem: str | None) -> None:
        if problem is not None and problem != self.problem:
            logger.error(problem)
        self.problem = problem
        self._changed()
