"""A camera above a conveyor belt that exists only here, and that misbehaves on request."""

import random
import time
from dataclasses import replace
from typing import Literal

from camera.config import FaultConfig, VirtualConfig
from camera.conveyor import Scene
from camera.errors import CameraNotFound
from camera.frame import FrameStatus, PixelFormat
from camera.protocol import CameraInfo
from camera.shutter import AS_IT_SHOULD, Fate
from camera.simulated import Shot, SimulatedCamera


class VirtualCamera(SimulatedCamera):
    """Every exposure shows the next part of a Scene.

    Parts and faults are numbered by exposure since the camera was made, and go on after close() and open():
    the same seed tells the same story, and a fault at exposure 100 happens once.
    Cost: the first open() about two seconds at 1920 x 1200 (see Scene), a picture some milliseconds in read().
    """

    def __init__(self, config: VirtualConfig) -> None:
        super().__init__(config, self._fate)
        self._config = config
        self._scene: Scene | None = None
        self._gone_until_ns = 0

    def _reach(self) -> CameraInfo:
        gone_s = (self._gone_until_ns - time.monotonic_ns()) / 1e9
        if gone_s > 0:
            raise CameraNotFound(f"virtual camera {self._serial} is unplugged; it comes back in {gone_s:.1f} s")
        config = self._config
        if self._scene is None:
            color: Literal["mono", "bgr"] = "mono" if config.pixel_format == "Mono8" else "bgr"
            self._scene = Scene(config.seed, (config.height_px, config.width_px), color, config.defect_rate)
        model = f"simulated conveyor, {config.width_px} x {config.height_px}, {config.pixel_format}"
        return CameraInfo(driver="virtual", model=model, serial=self._serial, is_simulated=True)

    def _shoot(self, number: int) -> Shot:
        if self._scene is None:
            raise RuntimeError("a virtual camera that was not opened has no scene")
        pixels, truth = self._scene.part(self._shown(number))
        shot = Shot(pixels, PixelFormat(self._config.pixel_format), source=self._serial, truth=truth)
        return self._cut(shot, number) if self._hits("incomplete", number) else shot

    @property
    def _serial(self) -> str:
        return f"SIM{self._config.seed:06d}"

    def _fate(self, number: int) -> Fate:
        wrong = self._config.misbehave
        if self._hits("gone", number):
            self._gone_until_ns = time.monotonic_ns() + round(wrong.gone.gone_s * 1e9)
            return Fate(is_gone=True)
        if self._hits("lost", number):
            return Fate(is_lost=True)
        if self._hits("late", number):
            return Fate(late_s=wrong.late.late_s)
        return AS_IT_SHOULD

    def _hits(self, kind: Literal["late", "lost", "incomplete", "frozen", "gone"], number: int) -> bool:
        fault: FaultConfig = getattr(self._config.misbehave, kind)
        return number in fault.at_exposures or (fault.rate > 0 and self._dice(kind, number).random() < fault.rate)

    def _dice(self, what: str, number: int) -> random.Random:
        return random.Random(f"{self._config.seed} {what} {number}")  # noqa: S311  # a story to be told again, no secret

    def _shown(self, number: int) -> int:
        """The part in the picture: that of this exposure, or, where the camera is frozen, of an earlier one."""
        while (begun := self._frozen_since(number)) is not None:
            if begun == 0:
                return 0
            number = begun - 1
        return number

    def _frozen_since(self, number: int) -> int | None:
        """The first exposure of the frozen run that this one belongs to."""
        frozen = self._config.misbehave.frozen
        for at in frozen.at_exposures:
            if at <= number < at + frozen.for_exposures:
                return at
        run = number // frozen.for_exposures
        if frozen.rate > 0 and self._dice("frozen", run).random() < frozen.rate:
            return run * frozen.for_exposures
        return None

    def _cut(self, shot: Shot, number: int) -> Shot:
        """Without its lower part, black where nothing arrived."""
        if shot.pixels is None:
            return shot
        height = shot.pixels.shape[0]
        arrived = int(height * self._dice("cut", number).uniform(0.2, 0.9))
        shot.pixels[arrived:] = 0
        detail = f"only {arrived} of {height} rows arrived"
        return replace(shot, status=FrameStatus.INCOMPLETE, detail=detail)
