"""One open cv2.VideoCapture: pictures with the times that the source tells, until it is dead."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from camera.drivers.opencv.dating import Arrival
from camera.errors import CameraLost
from camera.protocol import CameraInfo

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Source:
    """What kind of source it is, read back from it where it can be."""

    info: CameraInfo
    clock: str
    """See Dating: "sender", "monotonic" or ""."""
    latency_s: float
    """From exposure to picture, at best."""
    size: tuple[int, int]
    """(width, height)."""
    read_timeout_s: float
    to_pixels: Callable[[npt.NDArray[np.uint8]], Pixels]
    """From what OpenCV gives to what is wanted."""


class Capture:
    """Threads: one at a time. A capture that failed once is dead: OpenCV never gets it back."""

    def __init__(self, capture: cv2.VideoCapture, source: Source, name: str) -> None:
        """`name`: what people call it, without a password."""
        self._capture = capture
        self.source = source
        self._name = name

    def grab(self, timeout_s: float) -> Arrival:
        """Wait for the next picture. One that comes after `timeout_s` is none: the capture may give what it still had.

        Raises: CameraLost; late, where the source says nothing at all (see the timeouts given to OpenCV).
        """
        began_ns, used_ns = time.monotonic_ns(), time.thread_time_ns()
        ok = self._capture.grab()
        received_ns = time.monotonic_ns()
        took_ns, used_ns = received_ns - began_ns, time.thread_time_ns() - used_ns
        if took_ns > timeout_s * 1e9:
            raise CameraLost(f"{self._name} gave no picture for {timeout_s:g} s")
        if not ok:
            raise CameraLost(f"{self._name} ended the stream or is gone")
        return Arrival(received_ns, took_ns, took_ns - used_ns, self._device_time_ns())

    def device_clock(self) -> tuple[int, str] | None:
        """(the sender's time of the picture, what it counts), for the record; see Frame.device_clock."""
        position_ns = self._device_time_ns()
        if position_ns is None:
            return None
        if self.source.clock == "monotonic":
            return position_ns, "monotonic"
        begun_us = self._capture.get(cv2.CAP_PROP_STREAM_OPEN_TIME_USEC)
        # Known from the sender's first report (RTCP) on.
        return (round(begun_us) * 1000 + position_ns, "rtcp") if begun_us > 0 else (position_ns, "free")

    def pixels(self) -> Pixels:
        """The picture grabbed last; the caller's own. Raises: CameraLost."""
        ok, raw = self._capture.retrieve()
        if not ok or raw is None:
            raise CameraLost(f"{self._name} gave a picture that cannot be decoded")
        pixels = self.source.to_pixels(raw)  # type: ignore[arg-type]  # OpenCV says that it may be of any type
        size = (pixels.shape[1], pixels.shape[0])
        if size != self.source.size:
            was = self.source.size
            raise CameraLost(
                f"{self._name} changed the size of its pictures from {was[0]} x {was[1]} to {size[0]} x {size[1]}"
            )
        return pixels

    def release(self) -> None:
        """Let go of it."""
        self._capture.release()

    def _device_time_ns(self) -> int | None:
        if not self.source.clock:
            return None
        position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        return round(position_ms * 1e6) if math.isfinite(position_ms) and position_ms >= 0 else None


def as_bgr(raw: Pixels) -> Pixels:
    """OpenCV's own pictures are."""
    return raw


def as_grey(raw: Pixels) -> Pixels:
    """0.3 ms at 1920 x 1200."""
    return raw if raw.ndim == 2 else np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGR2GRAY), np.uint8)
