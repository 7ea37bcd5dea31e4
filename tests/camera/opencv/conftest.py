"""Streaming cameras for these tests; each test has its own server, ended with it."""

import pytest
from streams import MjpegServer, RtspServer, missing_for_rtsp

from camera import make_camera
from camera.supervised import SupervisedCamera


@pytest.fixture(scope="session")
def no_rtsp():
    return missing_for_rtsp()


@pytest.fixture
def serve(no_rtsp):
    """serve("rtsp", "--fps", "10"): a server that runs."""
    servers = []

    def start(scheme, *options):
        if scheme == "rtsp" and no_rtsp:
            pytest.skip(no_rtsp)
        servers.append({"rtsp": RtspServer, "http": MjpegServer}[scheme](*options))
        return servers[-1].start()

    yield start
    for server in servers:
        server.end()


@pytest.fixture
def make():
    """make(url, ...): an OpencvCamera, closed with the test."""
    made = []

    def one(url, **settings):
        made.append(make_camera({"driver": "opencv", "url": url, **settings}))
        return made[-1]

    yield one
    for camera in made:
        camera.close()


@pytest.fixture
def make_supervised():
    """The same in a process of its own, as the line uses it."""
    made = []

    def one(url, **settings):
        made.append(SupervisedCamera({"driver": "opencv", "url": url, **settings}))
        return made[-1]

    yield one
    for camera in made:
        camera.end()
