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


@pytest.fixture(params=["virtual", "folder", "virtual supervised", "folder supervised"])
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


SUPERVISED_ALWAYS = {"virtual", "pylon", "gstreamer"}
PLACES = [
    pytest.param((name, place), id=f"{name}-{place}", marks=marks)
    for name in KINDS
    for place in ("here", "supervised")
    for marks in [[pytest.mark.slow] if place == "supervised" and name not in SUPERVISED_ALWAYS else []]
    if not (name == "v4l2" and place == "supervised")
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


@pytest.fixture
def build(part):
    """Makes a camera of the kind, triggered by software but for `changes`; ended with the test."""
    made = []

    def one(**changes):
        made.append(part.build({**part.settings, **changes}))
        return made[-1]

    yield one
    for camera in made:
        end(camera)


@pytest.fixture(scope="module")
def opened(part):
    """One camera of the kind, triggered by software, open for all tests that only begin and end acquiring."""
    camera = part.build(part.settings)
    camera.open()
    yield camera
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
