"""The process that brings new versions."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from appliance.children.child import Child, Inherited
from appliance.link import Message

logger = logging.getLogger(__name__)


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
