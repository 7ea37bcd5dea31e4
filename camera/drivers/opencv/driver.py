"""A Camera around an OpenCV capture."""

from camera.config import OpencvConfig


class OpencvCamera:
    """RTSP, MJPEG over HTTP and V4L2 cameras."""

    def __init__(self, config: OpencvConfig) -> None:
        self._config = config
