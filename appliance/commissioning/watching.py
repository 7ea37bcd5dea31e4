"""A camera watched by a thread: the newest frame, and what became of the others. For people, not for parts."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from camera.checking.trial import expose
from camera.errors import CameraError, CameraTimeout, EndOfPictures
from camera.frame import Frame, FrameStatus
from camera.supervised import SupervisedCamera

_READ_S: Final = 2.0
_RETRY_S: Final = 1.0
_RATE_FRAMES: Final = 30


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest frame with pixels, and the counts until then."""

    number: int = 0
    """Goes up with each frame, also over a reopened camera; 0: none yet."""
    frame: Frame | None = None
    age_ms: float = 0.0
    """When it came: from the end of its exposure."""
    rate_hz: float | None = None
    lost: int = 0
    damaged: int = 0
    skipped: int = 0
    reopened: int = 0
    problem: str = ""
    """Why none comes at the moment; empty where they come."""


class Watching:
    """Any thread may look; start() and stop() are for one. The thread inside is the only caller of the camera.

    The camera was opened; it is opened again when it was lost, for ever, once a second.
    """

    def __init__(self, camera: SupervisedCamera, rate_hz: float) -> None:
        """`rate_hz`: triggers a second, where the camera does not trigger itself."""
        self._camera = camera
        self._period_s = 1.0 / rate_hz
        self._changed = threading.Condition()
        self._seen = Seen()  # guarded by _changed
        self._stopping = threading.Event()
        self._came: deque[float] = deque(maxlen=_RATE_FRAMES)
        self._before: Frame | None = None
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """At most some seconds; the camera is closed then, and its driver's process is gone."""
        self._stopping.set()
        self._camera.close()
        if self._thread.is_alive():
            self._thread.join(_READ_S + 1.0)
        self._camera.end()

    def look(self, after: int, timeout_s: float) -> Seen:
        """The newest, waiting at most so long for a number above `after`, and for the first at all."""
        with self._changed:
            self._changed.wait_for(lambda: self._seen.number > max(after, 0), timeout_s)
            return self._seen

    def _run(self) -> None:
        is_open = True
        while not self._stopping.is_set() and not self._is_over(is_open=is_open):
            is_open = False
            self._stopping.wait(_RETRY_S)

    def _is_over(self, *, is_open: bool) -> bool:
        """Watch until something ends it; False: it may go on after a while."""
        try:
            if not is_open:
                self._camera.open()
                self._change(reopened=self._seen.reopened + 1)
            self._watch()
        except EndOfPictures as error:
            self._change(problem=str(error))
            return True
        except CameraError as error:
            self._camera.close()
            self._change(problem=str(error), rate_hz=None)
        return False

    def _watch(self) -> None:
        self._camera.start()
        self._came.clear()
        self._before = None
        due = time.monotonic()
        while not self._stopping.is_set():
            try:
                self._take(expose(self._camera, _READ_S))
            except CameraTimeout as error:
                self._change(problem=f"No picture comes: {error}", rate_hz=None)
            if not self._camera.triggers_itself:
                due = max(due + self._period_s, time.monotonic())
                self._camera.idle()
                self._stopping.wait(due - time.monotonic())

    def _take(self, frame: Frame) -> None:
        now = time.monotonic()
        seen, before = self._seen, self._before
        self._came.append(now)
        self._before = frame
        lost = 0 if before is None else max(0, frame.sequence - before.sequence - 1 - frame.skipped_before)
        has_pixels = frame.pixels is not None
        self._change(
            number=seen.number + 1,
            frame=frame if has_pixels else seen.frame,
            age_ms=now * 1e3 - frame.exposed_ns / 1e6,
            rate_hz=self._rate(),
            lost=seen.lost + lost,
            damaged=seen.damaged + (frame.status is not FrameStatus.OK),
            skipped=seen.skipped + frame.skipped_before,
            problem="" if frame.status is FrameStatus.OK else f"The picture is {frame.status.value}: {frame.detail}",
        )

    def _rate(self) -> float | None:
        span_s = self._came[-1] - self._came[0]
        return (len(self._came) - 1) / span_s if span_s > 0 else None

    def _change(self, **changes: object) -> None:
        with self._changed:
            values = {name: getattr(self._seen, name) for name in Seen.__dataclass_fields__}
            self._seen = Seen(**{**values, **changes})
            self._changed.notify_all()
