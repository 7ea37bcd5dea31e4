"""The camera's thread: exposes at each trigger, hands the frame over, and gets the camera back when it is gone."""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from appliance.inspection.frozen import FrozenDetector
from appliance.inspection.ledger import Ledger, Part
from appliance.inspection.report import Reporter
from appliance.inspection.result import Reason
from camera.errors import (
    CameraConfigError,
    CameraError,
    CameraLost,
    CameraTimeout,
    EndOfPictures,
    TriggerNotReady,
)
from camera.frame import Frame
from camera.protocol import Camera

logger = logging.getLogger(__name__)

_BACK_OFF_S = (0.5, 10.0)
"""First and longest wait before the camera is opened again."""


@dataclass(frozen=True, slots=True)
class CameraState:
    """How the camera is; replaced whole, so any thread may read it."""

    state: str
    """online, offline or frozen."""
    detail: str = ""
    """One sentence where it is not online."""
    finished: bool = False
    """It has shown its last picture; nothing is wrong."""
    hopeless: bool = False
    """A person has to change the settings; it is not tried again."""


class Acquisition:
    """One camera and the parts in front of it.

    Threads: run() is the camera's thread, the only caller of the camera. take() may be called by any one thread,
    the trigger's.
    """

    def __init__(
        self,
        camera: Camera,
        ledger: Ledger,
        reporter: Reporter,
        hand_over: Callable[[Part, Frame], bool],
        *,
        detect_frozen: bool,
        changed: Callable[[], None],
    ) -> None:
        """`hand_over` takes a frame to the station, False where the station is full; `changed`: a new state."""
        self._camera = camera
        self._ledger = ledger
        self._reporter = reporter
        self._hand_over = hand_over
        self._frozen = FrozenDetector() if detect_frozen else None
        self._changed = changed
        self._triggers: queue.SimpleQueue[Part | None] = queue.SimpleQueue()
        self._busy = threading.Event()
        self._stopping = threading.Event()
        self._state = CameraState("offline", "The camera was not opened yet.")
        self.tried = threading.Event()
        """The camera was opened, or the first attempt has failed."""

    @property
    def state(self) -> CameraState:
        """How the camera is now."""
        return self._state

    def take(self, part: Part) -> None:
        """A trigger was given. Where the camera cannot expose now, the part gets its result at once."""
        if self._stopping.is_set():
            self._give_up(part, Reason.STOPPING, "The box is being stopped.")
        elif self._state.state == "offline":
            self._give_up(part, Reason.CAMERA_LOST, self._state.detail)
        elif self._busy.is_set():
            self._give_up(
                part,
                Reason.TRIGGER_OVERLAPPED,
                "The trigger came while the camera was still busy with the part before.",
            )
        else:
            self._busy.set()
            self._triggers.put(part)

    def stop(self) -> None:
        """End run() soon, also out of a read that waits."""
        self._stopping.set()
        self._triggers.put(None)
        self._camera.close()

    def run(self) -> None:
        """Until stop(): keep the camera open, and expose for each part or take the frames that come by themselves."""
        wait_s = _BACK_OFF_S[0]
        while not self._is_over():
            try:
                self._open()
                wait_s = _BACK_OFF_S[0]
                self._acquire()
            except EndOfPictures as end:
                self._set(CameraState("offline", str(end), finished=True))
            except CameraConfigError as error:
                self._set(CameraState("offline", str(error), hopeless=True))
            except CameraError as error:
                if not self._stopping.is_set():
                    self._set(CameraState("offline", str(error)))
            finally:
                self._close()
            if not self._is_over():
                # Jitter, so that two boxes on one switch do not knock at the same moment for ever.
                self._stopping.wait(wait_s * random.uniform(0.8, 1.2))  # noqa: S311
                wait_s = min(wait_s * 2, _BACK_OFF_S[1])

    def _is_over(self) -> bool:
        """Nothing more will come from this camera."""
        return self._stopping.is_set() or self._state.finished or self._state.hopeless

    def _open(self) -> None:
        self._camera.open()
        if self._stopping.is_set():
            raise CameraLost("The box is being stopped.")
        self._reporter.simulated = self._camera.info.is_simulated
        self._camera.start()
        if self._frozen is not None:
            self._frozen.forget()
        self._busy.clear()
        self._set(CameraState("online"))

    def _close(self) -> None:
        """Nothing is exposed any more: parts that still wait for this thread get their result."""
        self._camera.close()
        while True:
            try:
                part = self._triggers.get_nowait()
            except queue.Empty:
                return
            if part is not None:
                self._give_up(part, Reason.CAMERA_LOST, self._state.detail)

    def _acquire(self) -> None:
        if self._camera.triggers_itself:
            self._free_run()
        else:
            while not self._stopping.is_set():
                part = self._triggers.get()
                if part is not None:
                    self._expose(part)
                    self._busy.clear()

    def _expose(self, part: Part) -> None:
        """One trigger, one frame, or the reason why there is none."""
        try:
            self._camera.trigger()
            frame = self._await(part)
        except TriggerNotReady as error:
            self._give_up(part, Reason.TRIGGER_OVERLAPPED, str(error))
        except CameraTimeout as error:
            self._give_up(part, Reason.FRAME_MISSING, str(error))
            self._resynchronise()
        except EndOfPictures:
            # The trigger came after the last picture: there was no part.
            self._ledger.withdraw(part)
            raise
        except CameraError as error:
            if not self._stopping.is_set():
                self._set(CameraState("offline", str(error)))
            self._give_up(part, Reason.CAMERA_LOST, str(error))
            raise
        else:
            self._pass_on(part, frame)

    def _await(self, part: Part) -> Frame:
        """This part's frame. One of an earlier trigger came too late and is dropped: its part has its result.

        Waits until another margin before the part is given up: a picture that comes later cannot be judged in time,
        and here is known what is missing.
        """
        limit_ns = 2 * part.give_up_ns - part.deadline_ns
        while True:
            left_s = (limit_ns - time.monotonic_ns()) / 1e9
            if left_s <= 0:
                raise CameraTimeout("The picture did not come before the deadline.")
            frame = self._camera.read(left_s)
            if frame.trigger_sequence is None or frame.exposed_ns >= part.triggered_ns:
                return frame
            logger.warning(
                "A picture came after its part's deadline and was dropped.",
                extra={"CAMERA": self._reporter.camera, "TRIGGER_ID": part.trigger_id},
            )

    def _resynchronise(self) -> None:
        """After a picture that did not come in time, drop what is still under way: it is of a part that is gone."""
        self._camera.stop()
        self._camera.start()

    def _free_run(self) -> None:
        """The camera's own trigger: each frame is a part, and each number missing between two is one too."""
        expected = 0
        while not self._stopping.is_set():
            try:
                frame = self._camera.read(1.0)
            except CameraTimeout:
                continue  # an idle line is not a fault
            for _ in range(frame.sequence - expected):
                lost = self._ledger.open(frame.exposed_ns)
                self._give_up(lost, Reason.FRAME_MISSING, "The camera exposed, and the picture never arrived.")
            expected = frame.sequence + 1
            self._pass_on(self._ledger.open(frame.exposed_ns), frame)

    def _pass_on(self, part: Part, frame: Frame) -> None:
        if self._frozen is not None and self._frozen.is_repeat(frame):
            sentence = "The camera sent the same picture again, to the last bit; look at the camera."
            self._set(CameraState("frozen", sentence))
            self._give_up(part, Reason.FRAME_FROZEN, sentence, frame)
            return
        if self._state.state != "online":
            self._set(CameraState("online"))
        part.handed_over_ns = time.monotonic_ns()
        if not self._hand_over(part, frame):
            self._give_up(part, Reason.STATION_BUSY, "Parts come faster than they can be judged.", frame)

    def _give_up(self, part: Part, reason: Reason, detail: str, frame: Frame | None = None) -> None:
        self._ledger.settle(part, self._reporter.undefined(part, reason, detail, frame))

    def _set(self, state: CameraState) -> None:
        self.tried.set()
        if state == self._state:
            return
        self._state = state
        fields = {"CAMERA": self._reporter.camera}
        if state.state == "online":
            logger.info("Camera %s is online.", self._reporter.camera, extra=fields)
        else:
            logger.warning("Camera %s is %s: %s", self._reporter.camera, state.state, state.detail, extra=fields)
        self._changed()
