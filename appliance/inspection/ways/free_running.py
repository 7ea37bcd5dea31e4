"""The camera exposes, by itself or by a wire of its own."""

import time
from collections.abc import Callable

from appliance.inspection.ledger import Part
from appliance.inspection.result import Reason
from appliance.inspection.ways.way import LOOK_S, Surroundings, nobodys
from camera.errors import CameraLost, CameraTimeout
from camera.frame import Frame


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
                frame = self._at.camera.read(LOOK_S)
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
            nobodys(self._at, frame)

    def _take_newest(self, frame: Frame) -> None:
        part = self._part(frame)
        self._at.pass_on(part, frame)
        while not self._until_free(LOOK_S) and not self._at.stopping.is_set():
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
