"""Pictures for a while, taken as the line would take them. Nothing is judged here (camera.checking.pace does)."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from camera.errors import CameraError, CameraLost, CameraTimeout, EndOfPictures, TriggerNotReady
from camera.frame import Frame, FrameStatus
from camera.protocol import Camera

_READ_S: Final = 1.0
_ANSWER_S: Final = 2.0
"""A software trigger without a picture for so long has none."""
_SAMPLES_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame, without its pixels. Times: CLOCK_MONOTONIC, nanoseconds."""

    sequence: int
    status: FrameStatus
    exposed_ns: int
    got_ns: int
    """When it was in the hands of who asked."""
    triggered_ns: int | None
    """When its software trigger was sent."""
    skipped_before: int
    nbytes: int
    trigger_count: int | None
    detail: str


@dataclass(slots=True)
class Trial:
    """What happened. Filled by take(), by one thread."""

    triggers_itself: bool
    begun_ns: int = 0
    ended_ns: int = 0
    samples: list[Sample] = field(default_factory=list)
    last: Frame | None = None
    """The newest frame that had pixels."""
    triggers: int = 0
    too_early: int = 0
    """Software triggers for which the camera was not ready."""
    unanswered: int = 0
    """Software triggers that no frame answered in time."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """The driver's, at the end."""
    ended_by: CameraError | None = None
    """What ended it before its time; None where nothing did."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended_ns - self.begun_ns) / 1e9


def take(
    camera: Camera,
    seconds: float,
    period_s: float = 0.0,
    told: Callable[[Trial], object] = lambda _: None,
) -> Trial:
    """Start an open camera, take pictures for so long, stop it.

    `period_s`: from software trigger to software trigger; 0: the next as soon as the one before is answered.
    `told` hears of it after each frame, or about once a second. Raises: CameraLost from start().
    """
    camera.start()
    trial = Trial(camera.triggers_itself, begun_ns=time.monotonic_ns())
    until_ns = trial.begun_ns + round(seconds * 1e9)
    try:
        if trial.triggers_itself:
            _read_along(camera, trial, until_ns, told)
        else:
            _trigger_along(camera, trial, until_ns, period_s, told)
        trial.counters = dict(camera.counters())
    except (CameraLost, EndOfPictures) as error:
        trial.ended_by = error
    trial.ended_ns = time.monotonic_ns()
    if not isinstance(trial.ended_by, CameraLost):
        camera.stop()
    return trial


def _read_along(camera: Camera, trial: Trial, until_ns: int, told: Callable[[Trial], object]) -> None:
    while (left_s := (until_ns - time.monotonic_ns()) / 1e9) > 0 and len(trial.samples) < _SAMPLES_MAX:
        with suppress(CameraTimeout):
            _note(trial, camera.read(min(left_s, _READ_S)), None)
        told(trial)


def _trigger_along(
    camera: Camera, trial: Trial, until_ns: int, period_s: float, told: Callable[[Trial], object]
) -> None:
    due_ns = time.monotonic_ns()
    while due_ns < until_ns and len(trial.samples) < _SAMPLES_MAX:
        camera.idle()
        time.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
        triggered_ns = time.monotonic_ns()
        trial.triggers += 1
        try:
            camera.trigger()
            _note(trial, camera.read(_ANSWER_S), triggered_ns)
        except TriggerNotReady:
            trial.too_early += 1
            time.sleep(0.001)
        except CameraTimeout:
            trial.unanswered += 1
        told(trial)
        due_ns = max(due_ns + round(period_s * 1e9), time.monotonic_ns())


def _note(trial: Trial, frame: Frame, triggered_ns: int | None) -> None:
    if frame.pixels is not None:
        trial.last = frame
    trial.samples.append(
        Sample(
            sequence=frame.sequence,
            status=frame.status,
            exposed_ns=frame.exposed_ns,
            got_ns=time.monotonic_ns(),
            triggered_ns=triggered_ns,
            skipped_before=frame.skipped_before,
            nbytes=0 if frame.pixels is None else frame.pixels.nbytes,
            trigger_count=frame.trigger_count,
            detail=frame.detail,
        )
    )


def expose(camera: Camera, timeout_s: float) -> Frame:
    """One frame of a started camera, triggered here where it does not trigger itself.

    A camera that is still busy is asked again. Raises: CameraTimeout, CameraLost, EndOfPictures.
    """
    limit = time.monotonic() + timeout_s
    while not camera.triggers_itself:
        try:
            camera.trigger()
            break
        except TriggerNotReady as error:
            if time.monotonic() > limit:
                raise CameraTimeout(f"the camera was busy for {timeout_s:g} s: {error}") from error
            time.sleep(0.005)
    return camera.read(max(0.0, limit - time.monotonic()))
