"""This box exposes."""

import logging
import queue
import threading
import time

from appliance.inspection.ledger import Part
from appliance.inspection.result import Reason
from appliance.inspection.ways.way import LOOK_S, Surroundings, nobodys
from camera.errors import CameraError, CameraTimeout, EndOfPictures, TriggerNotReady
from camera.frame import Frame

logger = logging.getLogger(__name__)


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
                part = self._triggers.get(timeout=LOOK_S)
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
            nobodys(self._at, None)

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
                nobodys(self._at, frame)

    def _resynchronise(self) -> None:
        """After a picture that did not come in time, drop what is still under way: it is of a part that is gone."""
        self._gave_up = True
        self._at.camera.stop()
        self._at.camera.start()
