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
    to_pixels: Callable[[Pixels], Pixels | None]
    """From what OpenCV gives to what is wanted; None where it is damaged."""
    may_change_size: bool = False
    """In the middle, without OpenCV saying so."""


class Capture:
    """Threads: one at a time. A capture that failed once is dead: OpenCV never gets it back."""

    def __init__(self, capture: cv2.VideoCapture, source: Source, name: str) -> None:
        """`name`: what people call it, without a password."""
        self._capture = capture
        self.source = source
        self._name = name
        self._edge: Pixels | None = None
        self.watches_edge = False
        """Only where source.may_change_size; see _watch_edge()."""
        self.is_size_in_doubt = False
        """It ended because the size of the pictures may have changed."""

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
        if self.watches_edge and self._capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME):
            self._watch_edge()
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

    def pixels(self) -> Pixels | None:
        """The picture grabbed last; the caller's own. None where it is damaged. Raises: CameraLost."""
        raw = self._raw()
        if self.watches_edge:
            self._edge = raw[-1].copy()
        pixels = self.source.to_pixels(raw)
        if pixels is None:
            return None
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

    def _raw(self) -> Pixels:
        ok, raw = self._capture.retrieve()
        if not ok or raw is None:
            raise CameraLost(f"{self._name} gave a picture that cannot be decoded")
        return np.asarray(raw, np.uint8)

    def _watch_edge(self) -> None:
        """At a key frame: was the picture's last row written?

        Where a video stream changes its size, OpenCV (4.x and 5.0) goes on with the old one, says nothing, and leaves
        the lower part of its picture, or all of it, as it was. A new size begins with a key frame, and a key frame of
        a real sensor has no row that is the same, byte by byte, as before.
        """
        edge = self._raw()[-1].copy()
        before, self._edge = self._edge, edge
        if before is not None and np.array_equal(before, edge):
            self.is_size_in_doubt = True
            raise CameraLost(
                f"{self._name} gave a key frame whose lower edge is that of the picture before: the camera may have "
                f"changed the size of its pictures from {self.source.size[0]} x {self.source.size[1]}"
            )

    def _device_time_ns(self) -> int | None:
        if not self.source.clock:
            return None
        position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        return round(position_ms * 1e6) if math.isfinite(position_ms) and position_ms >= 0 else None


def jpeg_as_bgr(raw: Pixels) -> Pixels | None:
    """What came, undecoded: so its size is that of the picture, and damage is seen."""
    pixels = cv2.imdecode(raw, cv2.IMREAD_COLOR)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def jpeg_as_grey(raw: Pixels) -> Pixels | None:
    """Decodes the brightness only."""
    pixels = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def as_bgr(raw: Pixels) -> Pixels:
    """OpenCV's own pictures are."""
    return raw


def as_grey(raw: Pixels) -> Pixels:
    """0.3 ms at 1920 x 1200."""
    return raw if raw.ndim == 2 else np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGR2GRAY), np.uint8)
