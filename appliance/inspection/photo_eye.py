"""A photo-eye on one of the box's own pins: each edge is a trigger, by the kernel's own time."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from appliance.inspection.debounce import Change, Debouncer
from appliance.inspection.gpio_chip import PinError
from appliance.inspection.gpio_pin import Edge, EyeSettings, Pin
from appliance.inspection.result import Reason

__all__ = ["EyeSettings", "PhotoEye"]

logger = logging.getLogger(__name__)

_LOOK_S: Final = 0.2
"""Whether it is to stop is asked so often."""
_BACK_OFF_S: Final = (0.25, 2.0)
"""First and longest wait before a pin that cannot be read is opened again; without limit."""


class Trigger(Protocol):
    """As `CameraLine.trigger` and `Group.trigger`."""

    def __call__(
        self, triggered_ns: int, /, *, due_ns: int | None = None, lost: tuple[Reason, str] | None = None
    ) -> int | None: ...


class OpenPin(Protocol):
    """Opens the pin; `Pin`, where it is not a test's. Raises: PinError."""

    def __call__(self, settings: EyeSettings, /, *, label: str | None) -> Pin: ...


@dataclass(frozen=True, slots=True)
class _Coming:
    """A part on its way from the eye to the camera."""

    edge_ns: int
    due_ns: int
    lost: tuple[Reason, str] | None = None
    """Why it cannot be photographed."""


class PhotoEye:
    """Gives a trigger for each edge, with the moment at which the kernel saw it, when the part is at the camera.

    An edge that the kernel could not keep, or that was noticed too late, is a trigger as well: of a part that nobody
    photographs. What passes while the pin cannot be read is not known: `problem` says so as long as it lasts.
    """

    def __init__(
        self,
        settings: EyeSettings,
        trigger: Trigger,
        *,
        changed: Callable[[], None] = lambda: None,
        open_pin: OpenPin = Pin,
    ) -> None:
        """`trigger` takes (the edge's moment, CLOCK_MONOTONIC nanoseconds; when its part is at the camera; why it
        cannot be photographed). `changed`: `problem` is another.
        """
        self._settings = settings
        self._trigger = trigger
        self._changed = changed
        self._open_pin = open_pin
        self._wanted_high = settings.edge == "rising"
        self._debounce_ns = round(settings.debounce_s * 1e9)
        self._due_after_ns = round(max(settings.delay_s, settings.debounce_s) * 1e9)
        self._pin: Pin | None = None
        self._label: str | None = None
        self._debouncer: Debouncer | None = None
        self._number = 0  # of the last edge that was read
        self._coming: deque[_Coming] = deque()
        self._retry_ns = 0
        self._wait_s = _BACK_OFF_S[0]
        self.problem: str | None = None
        """Why the pin cannot be read; None where it can. Any thread may read it."""
        self.missed = 0
        """Edges that gave no picture: they did not fit into the kernel's queue, or were noticed too late."""
        self.finished = threading.Event()
        """Never: a wire does not end."""

    def run(self, stop: threading.Event) -> None:
        """The trigger's thread. Ends within a second of `stop`; parts that were on their way are told as not judged."""
        try:
            while not stop.is_set():
                if self._pin is None and time.monotonic_ns() >= self._retry_ns:
                    self._open()
                self._look(stop)
                self._give()
        finally:
            self._let_go()
        for part in self._coming:
            self._tell(part, part.lost or (Reason.STOPPING, "The box is being stopped."))
        self._coming.clear()

    def _look(self, stop: threading.Event) -> None:
        """Wait for edges, or for the next part to be at the camera, and take what there is."""
        pin = self._pin
        if pin is None:
            stop.wait(self._until(self._retry_ns))
            return
        wait_s = self._until(None)
        if self._debouncer is not None and self._debouncer.due_ns is not None:
            stop.wait(wait_s)  # a wire full of noise wakes this thread once in a debouncing time, not at every edge
            wait_s = 0.0
        now_ns = time.monotonic_ns()
        try:
            self._take(pin.read(wait_s), now_ns)
        except PinError as error:
            self._lost(str(error))

    def _until(self, also_ns: int | None) -> float:
        """Seconds to wait."""
        sure_ns = None if self._debouncer is None else self._debouncer.due_ns
        first = self._coming[0].due_ns if self._coming else None
        moments = [one for one in (first, sure_ns, also_ns) if one is not None]
        left_s = (min(moments) - time.monotonic_ns()) / 1e9 if moments else _LOOK_S
        return min(_LOOK_S, max(0.0, left_s))

    # The pin ----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        try:
            pin = self._open_pin(self._settings, label=self._label)
        except PinError as error:
            self._lost(str(error))
            return
        self._pin, self._label, self._number, self._wait_s = pin, pin.label, 0, _BACK_OFF_S[0]
        by_us = self._settings.debounce_s > 0 and not pin.debounced_by_kernel
        try:
            self._debouncer = Debouncer(self._debounce_ns, is_high=pin.is_high()) if by_us else None
        except PinError as error:
            self._lost(str(error))
            return
        logger.info("The photo-eye on %s is read.", pin.name)
        self._set(None)

    def _lost(self, sentence: str) -> None:
        self._let_go()
        self._retry_ns = time.monotonic_ns() + round(self._wait_s * random.uniform(0.8, 1.2) * 1e9)  # noqa: S311
        self._wait_s = min(2 * self._wait_s, _BACK_OFF_S[1])
        self._set(f"{sentence} Until it can be read no part is seen, so none is judged.")

    def _let_go(self) -> None:
        if self._pin is not None:
            self._pin.close()
        self._pin = self._debouncer = None

    def _set(self, problem: str | None) -> None:
        if problem == self.problem:
            return
        self.problem = problem
        if problem is not None:
            logger.error("The photo-eye: %s", problem)
        self._changed()

    # Edges ------------------------------------------------------------------------------------------------------

    def _take(self, edges: list[Edge], now_ns: int) -> None:
        """`now_ns`: from before they were read, so that no edge until then is still to come."""
        for edge in edges:
            not_kept, self._number = edge.number - self._number - 1, edge.number
            if not_kept:
                self._note_not_kept(not_kept, edge)
            if self._debouncer is None:
                # What the kernel debounced it is sure of after the time, and tells then.
                self._note(edge.at_ns - (self._debounce_ns if self._pin and self._pin.debounced_by_kernel else 0))
            else:
                self._note_change(self._debouncer.feed(edge.at_ns, is_high=edge.is_high))
        if self._debouncer is not None:
            self._note_change(self._debouncer.settle(now_ns))

    def _note_change(self, change: Change | None) -> None:
        if change is not None and change.is_high == self._wanted_high:
            self._note(change.at_ns)

    def _note(self, edge_ns: int) -> None:
        self._coming.append(_Coming(edge_ns, edge_ns + self._due_after_ns))

    def _note_not_kept(self, count: int, following: Edge) -> None:
        """Each that counts is a part; of both edges it is every second, and not the one before one that counts."""
        logger.error("The kernel's queue was full: %d edges of the photo-eye are known by their number only.", count)
        parts = count
        if self._debouncer is not None:
            parts = (count + (following.is_high != self._wanted_high)) // 2
            self._note_change(self._debouncer.settle(following.at_ns))
            self._debouncer = Debouncer(self._debounce_ns, is_high=not following.is_high)
        sentence = "The box did not read its photo-eye in time: of this part nothing is known but that it passed."
        edge_ns = following.at_ns
        lost = _Coming(edge_ns, edge_ns + self._due_after_ns, (Reason.TRIGGER_MISSED, sentence))
        self._coming.extend([lost] * parts)

    # Parts ------------------------------------------------------------------------------------------------------

    def _give(self) -> None:
        """Trigger for those that are at the camera now."""
        now_ns = time.monotonic_ns()
        while self._coming and self._coming[0].due_ns <= now_ns:
            part = self._coming.popleft()
            self._tell(part, part.lost or self._too_late(now_ns - part.due_ns))
            now_ns = time.monotonic_ns()

    def _too_late(self, late_ns: int) -> tuple[Reason, str] | None:
        late_s = self._settings.late_s
        if late_s is None or late_ns <= late_s * 1e9:
            return None
        sentence = (
            f"The part's edge was noticed {late_ns / 1e6:.0f} ms late: a picture would have been of what came after."
        )
        return Reason.TRIGGER_MISSED, sentence

    def _tell(self, part: _Coming, lost: tuple[Reason, str] | None) -> None:
        self.missed += lost is not None and lost[0] is Reason.TRIGGER_MISSED
        self._trigger(part.edge_ns, due_ns=part.due_ns, lost=lost)
