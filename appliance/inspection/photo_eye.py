"""A photo-eye on one of the box's own pins: each edge is a trigger, by the kernel's own time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EyeSettings:
    """Which pin, which edge, and how long before the part is in front of the camera."""

    chip: str
    line: int | str
    edge: str
    """rising or falling."""
    bias: str
    """as-is, disabled, pull-up or pull-down."""
    debounce_s: float
    delay_s: float


class PhotoEye:
    """Gives a trigger for each edge, with the moment at which the kernel saw it."""

    def __init__(self, settings: EyeSettings, trigger: Callable[[int], int | None]) -> None:
        """`trigger` takes the edge's moment, CLOCK_MONOTONIC nanoseconds."""
        self._settings = settings
        self._trigger = trigger
        self.finished = threading.Event()
        """Never: a wire does not end."""

    def run(self, stop: threading.Event) -> None:
        """The trigger's thread."""
        stop.wait()
