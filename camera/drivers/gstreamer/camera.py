"""The camera itself."""

from collections.abc import Mapping

from camera.config import GstreamerConfig
from camera.frame import Frame
from camera.protocol import CameraInfo


class GstreamerCamera:
    """A Camera (see camera.protocol)."""

    def __init__(self, config: GstreamerConfig) -> None:
        self._config = config

    @property
    def info(self) -> CameraInfo:
        raise NotImplementedError

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
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
