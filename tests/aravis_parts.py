"""What the tests of GigE cameras share: regions that fit into a stock socket, and what the simulator draws."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from camera import CameraInUse, CameraNotFound, CameraTimeout

SMALL = (("Width", 128), ("Height", 64))
QUICK = (*SMALL, ("AcquisitionFrameRate", 200.0))


def started(camera):
    camera.open()
    camera.start()
    return camera


def drawn(frame_id, height=64, width=128):
    """What the simulator draws for that frame id, in Mono8."""
    y, x = np.mgrid[:height, :width]
    return ((x + frame_id + y) % 255).astype(np.uint8)


def left_open():
    """(file descriptors, threads of any kind) of this process."""
    return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))


def read_on(camera, trigger="free", limit_s=30):
    """As the line does: trigger, read, go on when nothing comes; until the camera is lost, which is raised."""
    limit = time.monotonic() + limit_s
    while time.monotonic() < limit:
        with suppress(CameraTimeout):
            if trigger == "software":
                camera.trigger()
            camera.read(0.5)
    raise AssertionError(f"nobody noticed for {limit_s} s that the camera is gone")


def back(camera, limit_s=30):
    """Open it again and again until it is there, as the line does. Seconds that it took."""
    began = time.monotonic()
    while time.monotonic() - began < limit_s:
        with suppress(CameraInUse, CameraNotFound):
            started(camera)
            return time.monotonic() - began
        threading.Event().wait(0.1)
    raise AssertionError(f"the camera was not back after {limit_s} s")
