"""A camera of which the newest frame is wanted: what nobody took in time is passed over, so no picture grows old."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from camera.drain import Drain
from camera.errors import CameraTimeout
from camera.frame import Frame
from camera.protocol import Camera, CameraInfo

_TURN_S: Final = 0.2
"""How long one read() of the camera inside waits; so long may stop() take."""
_COUNT_EVERY_S: Final = 0.5
_END_S: Final = 2.0


class Newest:
    """A Camera around one that triggers itself: a thread reads it all the time, and read() gives the newest frame.

    Each frame is given once; `skipped_before` counts those that were passed over.
    Threads: one of its own between start() and stop(), then the only caller of the camera inside (but for close()).
    counters() are those of the last half second, and `passed_over`.
    """

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._drain: Drain[Frame] | None = None
        self._counters: Mapping[str, int] = {}
        self._counted_at = 0.0

    @property
    def info(self) -> CameraInfo:
        return self._camera.info

    @property
    def triggers_itself(self) -> bool:
        return True

    def open(self) -> None:
        self._camera.open()
        self._drain = None
        self._counters = {}

    def start(self) -> None:
        self._camera.start()
        self._drain = Drain(self._take, room=1, name="newest")
        self._drain.start()

    def trigger(self) -> None:
        raise RuntimeError("trigger() on a camera that triggers itself")

    def read(self, timeout_s: float) -> Frame:
        if self._drain is None:
            return self._camera.read(timeout_s)  # which says what is wrong
        taken = self._drain.next(timeout_s)
        return replace(taken.item, skipped_before=taken.item.skipped_before + taken.passed_over)

    def idle(self) -> None:
        """Its thread does it unasked."""

    def counters(self) -> Mapping[str, int]:
        drain = self._drain
        return self._camera.counters() if drain is None else {**self._counters, "passed_over": drain.passed_over}

    def stop(self) -> None:
        if self._drain is not None:
            self._drain.end()
            if self._drain.join(_END_S):
                self._drain = None
                self._camera.stop()

    def close(self) -> None:
        drain = self._drain
        if drain is not None:
            drain.end()
        self._camera.close()
        if drain is not None:
            drain.join(_END_S)

    def _take(self) -> Frame | None:
        """On the drain's thread."""
        if time.monotonic() - self._counted_at > _COUNT_EVERY_S:
            self._counters, self._counted_at = dict(self._camera.counters()), time.monotonic()
        try:
            frame = self._camera.read(_TURN_S)
        except CameraTimeout:
            return None
        self._camera.idle()
        return frame
