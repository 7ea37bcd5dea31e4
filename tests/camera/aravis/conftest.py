"""A GigE camera that sends real packets over loopback, and drivers for it."""

import pytest
from aravis_parts import SMALL
from gige_simulator import gige_cameras

from camera import make_camera
from camera.supervised import SupervisedCamera


@pytest.fixture
def simulator():
    with gige_cameras() as cameras:
        yield cameras[0]


@pytest.fixture
def make(simulator):
    """Makes drivers in this process, closed at the test's end."""
    made = []

    def make_one(**settings):
        camera = make_camera({"driver": "aravis", "device": simulator.address, "settings": SMALL, **settings})
        made.append(camera)
        return camera

    yield make_one
    for camera in made:
        camera.close()


@pytest.fixture
def supervise(simulator):
    """Makes drivers in processes of their own, as the line has them; ended at the test's end."""
    made = []

    def make_one(**settings):
        given = {"driver": "aravis", "device": simulator.address, "settings": SMALL, "frames": "every"}
        camera = SupervisedCamera({**given, **settings})
        made.append(camera)
        return camera

    yield make_one
    for camera in made:
        camera.end()
