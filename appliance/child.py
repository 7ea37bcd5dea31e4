"""The line's children: started, listened to, and started again alone when they die."""

import logging
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

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


class GatewayChild(Child):
    """Results, health and metrics for the world."""

    def __init__(self, config_file: Path, acknowledged: Callable[[int], None], changed: Callable[[], None]) -> None:
        """`acknowledged` takes the row up to which the broker has everything."""
        super().__init__("gateway", "MQTT and REST are away, results wait on disk", config_file, changed)
        self._acknowledged = acknowledged

    def drain(self, row: int, timeout_s: float) -> bool:
        """End it after it has delivered everything up to `row`; False where that took too long and it was ended."""
        self._stopping.set()
        with self._lock:
            link, process = self._link, self._process
        if link is None or process is None:
            return False
        link.send("drain", {"row": row, "timeout_s": timeout_s})
        try:
            return self._ended(process, timeout_s + 2.0) == 0
        finally:
            link.close()
            self._gone.wait(5.0)

    def _live(self) -> int:
        return self._run_once("appliance.gateway", [], [], lambda: True)

    def _heard(self, message: Message) -> None:
        if message.kind == "acknowledged":
            self._acknowledged(int(message.body["row"]))


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


class FramesLife(Protocol):
    """What one life of the delivery process inherits of the frames that its examiners see."""

    @property
    def theirs(self) -> tuple[Inherited, Inherited]:
        """Shared memory, socket."""


FramesLifeT = TypeVar("FramesLifeT", bound=FramesLife)


class Frames(Protocol[FramesLifeT]):
    """The line's frames for examiners; see `appliance.shadowing.Feed`."""

    def start_life(self) -> FramesLifeT:
        """For a delivery process that is about to start. Raises: OSError."""

    def end_life(self, life: FramesLifeT, /) -> None:
        """It is gone."""


class DeliveryChild(Child, Generic[FramesLifeT]):
    """Fetches models, verifies and examines them, and says what the line shall load beside the model that serves.

    It tells us `wish {"models": {NAME: {"candidate", "keep", "shadow", "canary"}}}`, whole, and `look {}`. We tell it
    `status`, and `stop {}`.
    """

    def __init__(
        self,
        config_file: Path,
        frames: Frames[FramesLifeT],
        wished: Callable[[Mapping[str, Any]], None],
        look: Callable[[], None],
        alone: Callable[[], None],
        changed: Callable[[], None],
        *,
        is_wanted: bool,
        module: str = "appliance.delivery",
    ) -> None:
        """`wished` takes the models' wishes, by name; raises ValueError, KeyError or TypeError where they mean nothing.

        `look`: the disk has changed. `alone`: the process is gone. `is_wanted`: some model is delivered.
        """
        super().__init__("delivery process", "no model is fetched or tried", config_file, changed)
        self._frames = frames
        self._wished = wished
        self._look = look
        self._alone = alone
        self._is_wanted = is_wanted
        self._module = module
        if not is_wanted:
            self.problem = None

    def threads(self) -> dict[str, Callable[[], None]]:
        """What runs for it in the line, by the threads' names; the owner starts them."""
        return {"delivery": self.run} if self._is_wanted else {}

    def ask_to_stop(self) -> None:
        """Returns at once; what it has begun is on its disk, and goes on with the next start."""
        self._stopping.set()
        self.send(b"stop\n{}")

    def end(self, timeout_s: float) -> None:
        """End it, by force where it did not within `timeout_s`."""
        self.ask_to_stop()
        with self._lock:
            process = self._process
        if process is not None:
            self._ended(process, timeout_s)
            self._gone.wait(5.0)

    def _live(self) -> int:
        try:
            return self._live_with_frames()
        except OSError as error:
            logger.error("The %s cannot be started: %s.", self._name, error)  # noqa: TRY400 - the sentence says it all
            return 1

    def _live_with_frames(self) -> int:
        life = self._frames.start_life()
        memory, frames = life.theirs
        arguments = ["--frames-memory", str(memory.fileno()), "--frames-socket", str(frames.fileno())]
        try:
            return self._run_once(self._module, arguments, life.theirs, lambda: True)
        finally:
            self._frames.end_life(life)
            self._alone()

    def _heard(self, message: Message) -> None:
        if message.kind == "wish":
            self._wished(message.body["models"])
        elif message.kind == "look":
            self._look()
        else:
            raise ValueError(f"no message {message.kind!r}")
