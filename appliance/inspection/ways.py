"""The three ways from a trigger to its picture: this box exposes; the camera does; a wire does, and this box sees it.

Each is run by the camera's thread while the camera is open, and ends with what the camera raises.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from appliance.inspection.binding import Binder
from appliance.inspection.in_force import InForce
from appliance.inspection.ledger import Ledger, Part
from appliance.inspection.result import Reason
from camera.errors import CameraError, CameraLost, CameraTimeout, EndOfPictures, TriggerNotReady
from camera.frame import Frame
from camera.protocol import Camera

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
"""A camera that sends nothing is looked after so often."""
_NEXT_TRIGGER_S = 0.02
"""Without a trigger that waits, look for one so often: its picture may be known to be missing before its deadline."""
_NEWS_S = 0.05
"""News of an edge reach this box within this."""


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


class Exposing:
    """This box exposes: one trigger, one picture, or the reason why there is none."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._at = surroundings
        self._triggers: queue.SimpleQueue[Part | None] = queue.SimpleQueue()
        self._busy = threading.Event()
        self._gave_up = False

    def take(self, part: Part) -> None:
        """Where the camera is busy, the part gets its result at once."""
        if self._busy.is_set():
            sentence = "The trigger came while the camera was still busy with the part before."
            self._at.give_up(part, Reason.TRIGGER_OVERLAPPED, sentence)
        else:
            self._busy.set()
            self._triggers.put(part)

    def run(self) -> None:
        """See Way."""
        self._busy.clear()
        while not self._at.stopping.is_set():
            try:
                part = self._triggers.get(timeout=_LOOK_S)
            except queue.Empty:
                self._look_after()
                continue
            if part is not None:
                self._expose(part)
                self._busy.clear()
                self._look_after()

    def abandon(self, detail: str) -> None:
        """See Way."""
        while True:
            try:
                part = self._triggers.get_nowait()
            except queue.Empty:
                return
            if part is not None:
                self._at.give_up(part, Reason.CAMERA_LOST, detail)

    def wake(self) -> None:
        """See Way."""
        self._triggers.put(None)

    def _look_after(self) -> None:
        unasked = self._at.alive()
        if self._gave_up:  # it is most likely the late picture of a part that has its result
            return
        for _ in range(unasked):
            _nobodys(self._at, None)

    def _expose(self, part: Part) -> None:
        try:
            self._at.camera.trigger()
            frame = self._await(part)
        except TriggerNotReady as error:
            self._at.give_up(part, Reason.TRIGGER_OVERLAPPED, str(error))
        except CameraTimeout as error:
            self._at.give_up(part, Reason.FRAME_MISSING, str(error))
            self._resynchronise()
        except EndOfPictures:
            # The trigger came after the last picture: there was no part.
            self._at.ledger.withdraw(part)
            raise
        except CameraError as error:
            self._at.give_up(part, Reason.CAMERA_LOST, str(error))
            raise
        else:
            self._gave_up = False
            self._at.pass_on(part, frame)

    def _await(self, part: Part) -> Frame:
        """This part's picture. One from before its trigger is none: its own part has its result, or never was.

        Waits until another margin before the part is given up: a picture that comes later cannot be judged in time,
        and here is known what is missing.
        """
        limit_ns = 2 * part.give_up_ns - part.deadline_ns
        while True:
            left_s = (limit_ns - time.monotonic_ns()) / 1e9
            if left_s <= 0:
                raise CameraTimeout("The picture did not come before the deadline.")
            frame = self._at.camera.read(left_s)
            if frame.trigger_sequence is None or frame.exposed_ns >= part.due_ns:
                return frame
            if self._gave_up:
                logger.warning("A picture came after its part's deadline and was dropped.")
            else:
                _nobodys(self._at, frame)

    def _resynchronise(self) -> None:
        """After a picture that did not come in time, drop what is still under way: it is of a part that is gone."""
        self._gave_up = True
        self._at.camera.stop()
        self._at.camera.start()


class FreeRunning:
    """The camera exposes by itself: every picture is a part, and so is every number that is missing between two.

    Or, of a camera of which the newest picture is taken: a part is what was taken, and nothing is missing.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        *,
        newest: bool,
        until_free: Callable[[float], bool],
        lost_after_s: float | None,
    ) -> None:
        """`until_free` waits at most so many seconds for a station that has nothing left to judge.

        `lost_after_s`: a camera that sends nothing for so long is lost; None: its line may be idle.
        """
        self._at = surroundings
        self._newest = newest
        self._until_free = until_free
        self._lost_after_s = lost_after_s

    def take(self, part: Part) -> None:
        """Nobody triggers it but itself."""
        self._at.give_up(part, Reason.FRAME_MISSING, "This camera triggers itself; the trigger was not for it.")

    def run(self) -> None:
        """See Way."""
        numbers = _Numbers()
        last_s = time.monotonic()
        while not self._at.stopping.is_set():
            try:
                frame = self._at.camera.read(_LOOK_S)
            except CameraTimeout:
                self._look_after(time.monotonic() - last_s)
                continue
            last_s = time.monotonic()
            if self._newest:
                self._take_newest(frame)
            else:
                self._take(frame, numbers)
            self._at.alive()

    def abandon(self, detail: str) -> None:
        """Nothing waits here."""

    def wake(self) -> None:
        """It looks by itself."""

    def _look_after(self, silent_s: float) -> None:
        """An idle line is not a fault; a camera that should run by itself, and does not, is one."""
        self._at.alive()
        if self._lost_after_s is not None and silent_s > self._lost_after_s:
            raise CameraLost(f"The camera should send pictures by itself, and sent none for {silent_s:.1f} s.")

    def _take(self, frame: Frame, numbers: "_Numbers") -> None:
        lost, is_expected = numbers.before(frame)
        for _ in range(lost):
            sentence = "The camera was triggered, and the picture never arrived."
            self._at.give_up(self._part(frame), Reason.FRAME_MISSING, sentence)
        if is_expected:
            self._at.pass_on(self._part(frame), frame)
        else:
            _nobodys(self._at, frame)

    def _take_newest(self, frame: Frame) -> None:
        part = self._part(frame)
        self._at.pass_on(part, frame)
        while not self._until_free(_LOOK_S) and not self._at.stopping.is_set():
            self._at.alive()

    def _part(self, frame: Frame) -> Part:
        return self._at.ledger.open(frame.exposed_ns, self._at.in_force())


class _Numbers:
    """What the numbers of a camera's pictures say, since it was started."""

    def __init__(self) -> None:
        self._sequence = 0
        self._count = 0

    def before(self, frame: Frame) -> tuple[int, bool]:
        """(triggers before this picture that have none; whether this one has a trigger)."""
        lost = frame.sequence - self._sequence
        self._sequence = frame.sequence + 1
        if frame.trigger_count is None:
            return lost, True
        # The pulses say what the pictures cannot: a trigger that the camera ignored leaves no number behind.
        pulses = frame.trigger_count - self._count
        self._count = max(self._count, frame.trigger_count)
        return max(lost, pulses - 1), pulses > 0


class Observing:
    """A wire exposes, and this box sees the wire, too: each trigger and each picture are bound by time and count."""

    def __init__(self, surroundings: Surroundings, binder: Binder) -> None:
        self._at = surroundings
        self._changed = threading.Condition()
        self._binder = binder  # guarded by _changed

    def take(self, part: Part) -> None:
        """Its picture is on its way, if the camera saw the same edge."""
        with self._changed:
            self._binder.expect(part)
            self._changed.notify_all()

    def run(self) -> None:
        """See Way."""
        while not self._at.stopping.is_set():
            try:
                frame = self._at.camera.read(self._wait_s())
            except CameraTimeout:
                self._at.alive()
            else:
                self._bind(frame)
            with self._changed:
                overdue = self._binder.overdue(time.monotonic_ns())
            for part in overdue:
                self._missing(part)

    def abandon(self, detail: str) -> None:
        """See Way."""
        with self._changed:
            parts = self._binder.forget()
        for part in parts:
            self._at.give_up(part, Reason.CAMERA_LOST, detail)

    def wake(self) -> None:
        """It looks by itself."""

    def _wait_s(self) -> float:
        """Not past the moment at which a trigger is known to have no picture."""
        with self._changed:
            due_ns = self._binder.next_due_ns()
        if due_ns is None:
            return _NEXT_TRIGGER_S
        return min(_LOOK_S, max(0.001, (due_ns - time.monotonic_ns()) / 1e9))

    def _bind(self, frame: Frame) -> None:
        with self._changed:
            # The picture may be here before this box was told of its edge.
            self._changed.wait_for(lambda: self._binder.has_candidate(frame.exposed_ns), _NEWS_S)
            binding = self._binder.offer(frame.exposed_ns, frame.trigger_count)
        for part in binding.missing:
            self._missing(part)
        for part in binding.ambiguous:
            sentence = f"{len(binding.ambiguous)} triggers came and one picture: whose it is cannot be told."
            self._at.give_up(part, Reason.FRAME_MISSING, sentence, frame)
        if binding.part is not None:
            self._at.pass_on(binding.part, frame)
        elif not binding.ambiguous:
            _nobodys(self._at, frame)

    def _missing(self, part: Part) -> None:
        self._at.give_up(part, Reason.FRAME_MISSING, "The trigger was given, and the camera made no picture of it.")


def _nobodys(at: Surroundings, frame: Frame | None) -> None:
    """A picture that no trigger asked for: it is a part of its own, that cannot be judged. None: the driver kept it."""
    sentence = (
        "A picture came that no trigger had asked for; look at the trigger's wire, its debouncing, and its count."
    )
    seen_ns = time.monotonic_ns() if frame is None else frame.exposed_ns
    at.give_up(at.ledger.open(seen_ns, at.in_force()), Reason.FRAME_UNEXPECTED, sentence, frame)
