"""What the camera's tests share."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from camera import make_camera
from camera.supervised import SupervisedCamera


@pytest.fixture
def pictures(tmp_path) -> Path:
    """A folder with 60 small pictures, no two alike."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(60):
        picture = np.full((24, 32), number * 4, np.uint8)
        assert cv2.imwrite(str(folder / f"{number:03}.png"), picture)
    return folder


@pytest.fixture(params=["virtual", "folder", "virtual supervised", "folder supervised"])
def make(request, pictures):
    """Makes a camera of each driver, here and in a process of its own, small and quick, closed at the test's end."""
    made = []
    driver, _, supervised = request.param.partition(" ")
    build = SupervisedCamera if supervised else make_camera
    own = {
        "virtual": {"width_px": 96, "height_px": 60},
        "folder": {"folder": str(pictures)},
    }[driver]

    def make_one(**settings):
        camera = build({"driver": driver, "latency_s": 0.002, "exposure_s": 0.0, **own, **settings})
        made.append(camera)
        return camera

    yield make_one
    for camera in made:
        camera.end() if supervised else camera.close()
