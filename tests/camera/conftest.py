"""What the camera's tests share."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from camera import make_camera


@pytest.fixture
def pictures(tmp_path) -> Path:
    """A folder with 60 small pictures, no two alike."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(60):
        picture = np.full((24, 32), number * 4, np.uint8)
        assert cv2.imwrite(str(folder / f"{number:03}.png"), picture)
    return folder


@pytest.fixture(params=["virtual", "folder"])
def make(request, pictures):
    """Makes a camera of each driver, small and quick, closed at the end of the test."""
    made = []
    own = {
        "virtual": {"width_px": 96, "height_px": 60},
        "folder": {"folder": str(pictures)},
    }[request.param]

    def make_one(**settings):
        camera = make_camera({"driver": request.param, "latency_s": 0.002, "exposure_s": 0.0, **own, **settings})
        made.append(camera)
        return camera

    yield make_one
    for camera in made:
        camera.close()
