"""What the camera's tests share, and what is said about kinds of cameras that could not be tried."""

from pathlib import Path

import pytest
from camera_kinds import KINDS, missing, running, write_pictures

from camera import make_camera
from camera.supervised import SupervisedCamera


@pytest.fixture
def pictures(tmp_path) -> Path:
    """A folder with 60 small pictures, no two alike."""
    write_pictures(tmp_path / "pictures")
    return tmp_path / "pictures"


@pytest.fixture(
    params=[
        "virtual",
        "folder",
        pytest.param("virtual supervised", marks=pytest.mark.slow),
        pytest.param("folder supervised", marks=pytest.mark.slow),
    ]
)
def make(request, pictures):
    """Makes a camera of each driver without a sensor, here and in a process of its own, closed at the test's end."""
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


SUPERVISED_ALWAYS = {"virtual"}
ON_REQUEST = {"rtsp"}
"""The driver of `mjpeg`, which is always tried, behind a server that is slow to open; tests/camera/opencv has more."""


def marks(name, place):
    if name == "pylon" and place == "here":
        return [pytest.mark.timeout(method="thread")]  # see leave_alarms_to_pylon()
    is_slow = name in ON_REQUEST or (place == "supervised" and name not in SUPERVISED_ALWAYS)
    return [pytest.mark.slow] if is_slow else []


PLACES = [
    pytest.param((name, place), id=f"{name}-{place}", marks=marks(name, place))
    for name in KINDS
    for place in ("here", "supervised")
    if (name, place) != ("v4l2", "supervised")
]


@pytest.fixture(params=PLACES, scope="module")
def part(request, tmp_path_factory):
    """A kind of camera with its real part running, and how it is made here or in a process of its own."""
    name, place = request.param
    if why := missing(name):
        pytest.skip(why)
    with running(name, tmp_path_factory.mktemp(name)) as kind:
        kind.build = SupervisedCamera if place == "supervised" else make_camera
        yield kind


def end(camera) -> None:
    camera.end() if isinstance(camera, SupervisedCamera) else camera.close()


class Shared:
    """One camera of the kind for all tests that only begin and end acquiring: to open one takes a second."""

    def __init__(self, camera):
        self.camera = camera
        self.is_open = False

    def opened(self):
        if not self.is_open:
            self.camera.open()
            self.is_open = True
        return self.camera

    def let_go(self):
        self.camera.close()
        self.is_open = False


@pytest.fixture(scope="module")
def shared(part):
    one = Shared(part.build(part.settings))
    yield one
    end(one.camera)


@pytest.fixture
def opened(shared):
    """A camera of the kind, triggered by software, open."""
    return shared.opened()


@pytest.fixture
def build(part, shared):
    """Makes a camera of the kind, triggered by software but for `changes`; ended with the test."""
    shared.let_go()  # a camera is had by one at a time
    made = []

    def one(**changes):
        made.append(part.build({**part.settings, **changes}))
        return made[-1]

    yield one
    for camera in made:
        end(camera)


@pytest.fixture
def acquiring(opened):
    """It acquires, since just now."""
    opened.start()
    yield opened
    opened.stop()


def pytest_terminal_summary(terminalreporter):
    """Kinds of cameras that could not be tried are named loudly, each once."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped if isinstance(report.longrepr, tuple)]
    unverified = sorted({reason for reason in reasons if reason.startswith("not verified")})
    if unverified:
        terminalreporter.section("NOT VERIFIED HERE", sep="!", red=True, bold=True)
        for reason in unverified:
            terminalreporter.line(reason, red=True)
