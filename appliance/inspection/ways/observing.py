"""A wire exposes, and this box sees it."""

import threading
import time
from typing import Final

from appliance.inspection.binding import Binder
from appliance.inspection.ledger import Part
from appliance.inspection.result import Reason
from appliance.inspection.ways.way import LOOK_S, Surroundings, nobodys
from camera.errors import CameraTimeout
from camera.frame import Frame

_NEXT_TRIGGER_S: Final = 0.02
"""Without a trigger that waits, look for one so often: its picture may be known to be missing before its deadline."""
_NEWS_S: Final = 0.05
"""News of an edge reach this box within this."""


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
            self._look()

    def abandon(self, detail: str) -> None:
        """See Way."""
        with self._changed:
            parts = self._binder.forget()
        for part in parts:
            self._at.give_up(part, Reason.CAMERA_LOST, detail)

    def wake(self) -> None:
        """It looks by itself."""

    def _look(self) -> None:
        try:
            frame = self._at.camera.read(self._wait_s())
        except CameraTimeout:
            self._at.alive()
            self._give_up_overdue()
        else:
            self._bind(frame)

    def _wait_s(self) -> float:
        """Not past the moment at which a trigger is known to have no picture."""
        with self._changed:
            due_ns = self._binder.next_due_ns()
        if due_ns is None:
            return _NEXT_TRIGGER_S
        return min(LOOK_S, max(0.001, (due_ns - time.monotonic_ns()) / 1e9))

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
            nobodys(self._at, frame)

    def _give_up_overdue(self) -> None:
        """Only when the camera has no picture left: one that waits in its queue may be of the oldest trigger."""
        with self._changed:
            overdue = self._binder.overdue(time.monotonic_ns())
        for part in overdue:
            self._missing(part)

    def _missing(self, part: Part) -> None:
        self._at.give_up(part, Reason.FRAME_MISSING, "The trigger was given, and the camera made no picture of it.")
