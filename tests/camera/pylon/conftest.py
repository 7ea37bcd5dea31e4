"""pylon's own emulator: a real library with a device that exists only in it."""

import importlib.util

import cv2
import numpy as np
import pytest
from camera_kinds import leave_alarms_to_pylon

from camera import make_camera

SERIAL = "0815-0000"
SIZE = [["Width", 64], ["Height", 48]]


@pytest.fixture(autouse=True)
def emulator(monkeypatch):
    """Two emulated cameras, in this process and its children."""
    if importlib.util.find_spec("pypylon") is None:
        pytest.skip("not verified: pylon: pypylon is not installed (pip install 'inspection-appliance[pylon]')")
    monkeypatch.setenv("PYLON_CAMEMU", "2")
    leave_alarms_to_pylon()


@pytest.fixture
def make():
    """Makes an emulated camera of 64 x 48 pixels; `settings` come after its size."""
    made = []

    def make_one(settings=(), **changes):
        changes.setdefault("device", SERIAL)
        camera = make_camera({"driver": "pylon", "settings": [*SIZE, *settings], **changes})
        made.append(camera)
        return camera

    yield make_one
    for camera in made:
        camera.close()


@pytest.fixture
def grey_pictures(tmp_path):
    """Settings with which the emulated sensor shows six grey pictures of ours, in order: 10, 50, 90 ..."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(6):
        assert cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64), number * 40 + 10, np.uint8))
    return [["ImageFilename", str(folder)], ["ImageFileMode", "On"], ["TestImageSelector", "Off"]]


@pytest.fixture
def red_and_blue(tmp_path):
    """The same with one picture: red on the left, blue on the right."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = (0, 0, 255), (255, 0, 0)
    assert cv2.imwrite(str(tmp_path / "picture.png"), picture)
    return [["ImageFilename", str(tmp_path / "picture.png")], ["ImageFileMode", "On"], ["TestImageSelector", "Off"]]
