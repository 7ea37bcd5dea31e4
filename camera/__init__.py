"""Cameras: frames in, nothing else; knows nothing of what is done with them.

from camera import open_camera

camera = open_camera({"driver": "virtual", "trigger": "timed"})
camera.start()
frame = camera.read(timeout_s=2.0)
camera.close()
"""

from camera.config import (
    AravisConfig,
    CameraConfig,
    FolderConfig,
    GstreamerConfig,
    OpencvConfig,
    PylonConfig,
    VirtualConfig,
)
from camera.errors import (
    CameraConfigError,
    CameraError,
    CameraInUse,
    CameraLost,
    CameraNotFound,
    CameraTimeout,
    EndOfPictures,
    TriggerNotReady,
)
from camera.frame import Frame, FrameStatus, PixelFormat
from camera.opening import DRIVERS, check_config, make_camera, open_camera
from camera.protocol import Camera, CameraInfo

__all__ = [
    "DRIVERS",
    "AravisConfig",
    "Camera",
    "CameraConfig",
    "CameraConfigError",
    "CameraError",
    "CameraInUse",
    "CameraInfo",
    "CameraLost",
    "CameraNotFound",
    "CameraTimeout",
    "EndOfPictures",
    "FolderConfig",
    "Frame",
    "FrameStatus",
    "GstreamerConfig",
    "OpencvConfig",
    "PixelFormat",
    "PylonConfig",
    "TriggerNotReady",
    "VirtualConfig",
    "check_config",
    "make_camera",
    "open_camera",
]
