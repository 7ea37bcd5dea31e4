"""What the three ways have in common: what they are asked, and what they work with."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from appliance.inspection.in_force import InForce
from appliance.inspection.ledger import Ledger, Part
from appliance.inspection.result import Reason
from camera.frame import Frame
from camera.protocol import Camera

LOOK_S: Final = 1.0
"""A camera that sends nothing is looked after so often."""


class GiveUp(Protocol):
    """Settle a part that cannot be judged."""

    def __call__(self, part: Part, reason: Reason, detail: str, frame: Frame | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every way works with."""

    camera: Camera
    ledger: Ledger
    in_force: Callable[[], InForce]
    give_up: GiveUp
    pass_on: Callable[[Part, Frame], None]
    """A part's picture goes to the station."""
    alive: Callable[[], int]
    """Called at least once a second, between two reads, on the camera's thread: how many pictures came meanwhile that
    the driver kept to itself because no trigger had asked for them."""
    stopping: threading.Event


class Way(Protocol):
    """How pictures come to parts."""

    def take(self, part: Part) -> None:
        """A trigger was given, while the camera is open; on the trigger's thread, quickly."""

    def run(self) -> None:
        """Until told to stop. Raises what the camera raises."""

    def abandon(self, detail: str) -> None:
        """The camera is closed: every part that waits here gets its result. On the camera's thread."""

    def wake(self) -> None:
        """It is to stop; from any thread."""


def nobodys(at: Surroundings, frame: Frame | None) -> None:
    """A picture that no trigger asked for: it is a part of its own, that cannot be judged. None: the driver kept it."""
    sentence = (
        "A picture came that no trigger had asked for; look at the trigger's wire, its debouncing, and its count."
    )
    seen_ns = time.monotonic_ns() if frame is None else frame.exposed_ns
    at.give_up(at.ledger.open(seen_ns, at.in_force()), Reason.FRAME_UNEXPECTED, sentence, frame)
