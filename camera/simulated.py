"""What all cameras without a sensor have in common: they show pictures from elsewhere, as a camera would."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from camera.config import ShutterConfig
from camera.frame import Frame, FrameStatus, PixelFormat
from camera.protocol import CameraInfo
from camera.shutter import AS_IT_SHOULD, Fate, Shutter


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What was in front of the lens at one exposure; see Frame for the fields."""

    pixels: npt.NDArray[np.uint8] | None
    pixel_format: PixelFormat
    status: FrameStatus = FrameStatus.OK
    detail: str = ""
    source: str = ""
    truth: dict[str, Any] = field(default_factory=dict)


class SimulatedCamera(ABC):
    """A Camera (see camera.protocol) whose driver only says what each exposure shows.

    The picture for the next exposure is made in read(), before it waits, so that it is there when the trigger
    comes; read() may therefore take the time to make one picture longer than its timeout.
    """

    def __init__(self, config: ShutterConfig, fate: Callable[[int], Fate] = lambda _: AS_IT_SHOULD) -> None:
        self._shutter = Shutter(config, fate)
        self._epoch = 0
        self._info: CameraInfo | None = None
        self._ahead: tuple[int, Shot] | None = None

    @abstractmethod
    def _reach(self) -> CameraInfo:
        """At open(): do what is slow, and say who the camera is. Raises what open() may raise."""

    @abstractmethod
    def _shoot(self, number: int) -> Shot:
        """What exposure `number` shows. Raises CameraLost."""

    @property
    def info(self) -> CameraInfo:
        if self._info is None:
            raise RuntimeError("the camera's info is known after open()")
        return self._info

    @property
    def triggers_itself(self) -> bool:
        return self._shutter.triggers_itself

    def open(self) -> None:
        self._shutter.open()
        with ExitStack() as unless_reached:
            unless_reached.callback(self._shutter.close)
            self._info = self._reach()
            unless_reached.pop_all()
        self._epoch += 1
        self._ahead = None

    def start(self) -> None:
        self._shutter.start()
        self._look_ahead()

    def trigger(self) -> None:
        self._shutter.trigger()

    def read(self, timeout_s: float) -> Frame:
        since_ns = time.monotonic_ns()
        self._look_ahead()
        exposure = self._shutter.next(timeout_s, since_ns)
        shot = self._shot(exposure.number)
        self._ahead = None
        if shot.pixels is not None:
            shot.pixels.setflags(write=False)
        return Frame(
            pixels=shot.pixels,
            pixel_format=shot.pixel_format,
            sequence=exposure.sequence,
            epoch=self._epoch,
            exposed_ns=exposure.exposed_ns,
            exposed_utc_ns=exposure.exposed_utc_ns,
            status=shot.status,
            detail=shot.detail,
            trigger_sequence=exposure.trigger_sequence,
            received_ns=exposure.ready_ns,
            source=shot.source,
            is_simulated=True,
            truth=shot.truth,
        )

    def idle(self) -> None:
        """Draw the next picture ahead, as a real sensor would cost this computer nothing either."""
        self._look_ahead()

    def counters(self) -> Mapping[str, int]:
        return {}

    def stop(self) -> None:
        self._shutter.stop()

    def close(self) -> None:
        self._shutter.close()

    def _look_ahead(self) -> None:
        upcoming = self._shutter.upcoming()
        if upcoming is not None and (self._ahead is None or self._ahead[0] != upcoming):
            self._ahead = (upcoming, self._shot(upcoming))

    def _shot(self, number: int) -> Shot:
        if self._ahead is not None and self._ahead[0] == number:
            return self._ahead[1]
        return self._shoot(number)
