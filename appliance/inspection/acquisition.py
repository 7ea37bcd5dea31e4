"""The camera's thread: keeps it open, hands its pictures over, and gets it back when it is gone."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from appliance.inspection.binding import Binder
from appliance.inspection.frozen import FrozenDetector
from appliance.inspection.in_force import InForce
from appliance.inspection.ledger import Ledger, Part
from appliance.inspection.report import Reporter
from appliance.inspection.result import Reason
from appliance.inspection.ways import Exposing, FreeRunning, Observing, Surroundings, Way
from camera.errors import CameraConfigError, CameraError, CameraInUse, CameraLost, CameraNotFound, EndOfPictures
from camera.frame import Frame
from camera.protocol import UNASKED, Camera, CameraInfo

logger = logging.getLogger(__name__)

_BACK_OFF_S: Final = (0.25, 10.0)
"""First and longest wait before the camera is opened again; without limit, for a person may be on the way."""
_AWAY_MAX_S: Final = 0.8
"""Longest wait where there is nothing wrong but that it is not there: so that it is back soon after it is there."""
_COUNTERS_S: Final = 1.0
"""The driver's counters are asked for so often."""


@dataclass(frozen=True, slots=True)
class AcquisitionSettings:
    """How one camera's pictures come to its parts."""

    detect_frozen: bool
    is_lossy: bool = False
    """A video encoder stands between: see FrozenDetector."""
    observed: bool = False
    """The camera triggers itself, and triggers are given too: a wire goes to both."""
    newest: bool = False
    """Of a camera that triggers itself: only the newest picture, whenever one can be judged."""
    lost_after_s: float | None = None
    """A free-running camera that sends nothing for so long is lost; None: its line may be idle."""
    window_s: float = 0.05
    """Where triggers are observed: a picture belongs to a trigger that came at most so long before it."""
    early_s: float = 0.002
    """How far the estimated exposure may lie before its trigger."""


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
        in_force: Callable[[], InForce],
        hand_over: Callable[[Part, Frame], bool],
        until_free: Callable[[float], bool],
        settings: AcquisitionSettings,
        *,
        changed: Callable[[], None],
    ) -> None:
        """`hand_over` takes a frame to the station, False where the station is full; `changed`: a new state.

        `in_force`: the recipe that the next part is for; `until_free` waits for a station with nothing left to do.
        """
        self._camera = camera
        self._ledger = ledger
        self._reporter = reporter
        self._hand_over = hand_over
        self._frozen = FrozenDetector(is_lossy=settings.is_lossy) if settings.detect_frozen else None
        self._changed = changed
        self._stopping = threading.Event()
        self._state = CameraState("offline", "The camera was not opened yet.")
        self._way = self._way_of(settings, in_force, until_free)
        self._counters_at = 0.0
        self._wait_s = _BACK_OFF_S[0]
        self.tried = threading.Event()
        """The camera was opened, or the first attempt has failed."""
        self.info: CameraInfo | None = None
        """Of the camera that was opened last. Replaced whole, as are the two below."""
        self.counters: Mapping[str, int] = {}
        """What its driver has counted since then."""
        self.skipped = 0
        """Pictures that were passed over because a newer one was there."""

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
        else:
            self._way.take(part)

    def stop(self) -> None:
        """End run() soon, also out of a read that waits."""
        self._stopping.set()
        self._way.wake()
        self._camera.close()

    def run(self) -> None:
        """Until stop(): keep the camera open, and expose for each part or take the frames that come by themselves."""
        while not self._is_over():
            is_away = False
            try:
                self._open()
                self._way.run()
            except EndOfPictures as end:
                self._set(CameraState("offline", str(end), finished=True))
            except CameraConfigError as error:
                self._set(CameraState("offline", str(error), hopeless=True))
            except CameraError as error:
                is_away = isinstance(error, CameraNotFound | CameraInUse)
                if not self._stopping.is_set():
                    self._set(CameraState("offline", str(error)))
            finally:
                self._close()
            if not self._is_over():
                self._rest(is_away=is_away)

    def _rest(self, *, is_away: bool) -> None:
        """Before the next attempt; with jitter, so that two boxes on one switch do not knock together for ever."""
        wait_s = min(self._wait_s, _AWAY_MAX_S) if is_away else self._wait_s
        self._stopping.wait(wait_s * random.uniform(0.8, 1.2))  # noqa: S311
        self._wait_s = min(self._wait_s * 2, _BACK_OFF_S[1])

    def _way_of(
        self, settings: AcquisitionSettings, in_force: Callable[[], InForce], until_free: Callable[[float], bool]
    ) -> Way:
        surroundings = Surroundings(
            self._camera, self._ledger, in_force, self._give_up, self._pass_on, self._look_after, self._stopping
        )
        if settings.observed:
            return Observing(surroundings, Binder(round(settings.window_s * 1e9), round(settings.early_s * 1e9)))
        if self._camera.triggers_itself:
            return FreeRunning(
                surroundings, newest=settings.newest, until_free=until_free, lost_after_s=settings.lost_after_s
            )
        return Exposing(surroundings)

    def _is_over(self) -> bool:
        """Nothing more will come from this camera."""
        return self._stopping.is_set() or self._state.finished or self._state.hopeless

    def _open(self) -> None:
        self._camera.open()
        if self._stopping.is_set():
            raise CameraLost("The box is being stopped.")
        self.info = info = self._camera.info
        self.counters = {}
        self._reporter.simulated = info.is_simulated
        for note in info.notes:
            logger.warning("Camera %s: %s", self._reporter.camera, note, extra={"CAMERA": self._reporter.camera})
        self._camera.start()
        if self._frozen is not None:
            self._frozen.forget()
        self._set(CameraState("online"))

    def _close(self) -> None:
        """Nothing is exposed any more: parts that still wait for this thread get their result."""
        self._camera.close()
        self._way.abandon(self._state.detail)

    def _look_after(self) -> int:
        """Between two reads: what the driver counts. Returns how many pictures it kept that nobody had asked for."""
        now_s = time.monotonic()
        if now_s - self._counters_at < _COUNTERS_S:
            return 0
        self._counters_at = now_s
        before, self.counters = self.counters.get(UNASKED, 0), self._camera.counters()
        return max(0, self.counters.get(UNASKED, 0) - before)

    def _pass_on(self, part: Part, frame: Frame) -> None:
        self._wait_s = _BACK_OFF_S[0]  # it works: when it is lost it is tried again at once
        self.skipped += frame.skipped_before
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
        if reason is Reason.CAMERA_LOST and self._state.state != "offline" and not self._stopping.is_set():
            self._set(CameraState("offline", detail))
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
