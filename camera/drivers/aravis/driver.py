"""The driver: what camera.protocol asks for, in terms of a device and its stream."""

from collections.abc import Mapping

from camera.config import AravisConfig
from camera.frame import Frame
from camera.protocol import CameraInfo


class AravisCamera:
    """A GigE Vision or USB3 Vision camera."""

    def __init__(self, config: AravisConfig) -> None:
        self._config = config

    @property
    def info(self) -> CameraInfo:
        raise RuntimeError("the camera's info is known after open()")

    @property
    def triggers_itself(self) -> bool:
        return self._config.triggers_itself

    def open(self) -> None:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def trigger(self) -> None:
        raise NotImplementedError

    def read(self, timeout_s: float) -> Frame:
        raise NotImplementedError

    def idle(self) -> None:
        """Nothing to do."""

    def counters(self) -> Mapping[str, int]:
        return {}

    def stop(self) -> None:
        """Nothing was started."""

    def close(self) -> None:
        """Nothing is open."""
