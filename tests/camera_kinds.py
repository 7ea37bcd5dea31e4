"""One real part for each kind of camera: what a driver is tried with where there is no camera.

A kind whose part is missing here says so in one sentence that begins with "not verified", and is never passed over in
silence: see pytest_terminal_summary in tests/camera/conftest.py.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from gige_simulator import PROGRAM, gige_cameras
from streams import MjpegServer, RtspServer, missing_for_rtsp

GST_ELEMENTS = ("videotestsrc", "videoconvert", "gdppay")


@dataclass
class Kind:
    """One kind of camera, with its part running."""

    name: str
    settings: dict[str, Any]
    """With which it opens, triggered by software."""
    free: dict[str, Any] = field(default_factory=lambda: {"trigger": "free"})
    """What is to be changed for it to run by itself, at 20 pictures a second or more, of which the newest is given."""
    unplug: Callable[[], object] | None = None
    """As if its cable were pulled; None where nothing here can do that."""
    plug: Callable[[], object] | None = None
    takes_bursts: bool = True
    """Of two triggers at once it takes one and tells of the other, or takes both. (Some drop one without a word.)"""


@contextmanager
def _virtual(_folder: Path) -> Iterator[Kind]:
    settings = {"driver": "virtual", "width_px": 96, "height_px": 60, "latency_s": 0.002, "exposure_s": 0.0}
    yield Kind("virtual", settings, {"trigger": "timed", "takt_s": 0.04, "frames": "newest"})


@contextmanager
def _folder(folder: Path) -> Iterator[Kind]:
    write_pictures(folder / "pictures")
    settings = {"driver": "folder", "folder": str(folder / "pictures"), "latency_s": 0.002, "exposure_s": 0.0}
    yield Kind("folder", settings, {"trigger": "timed", "takt_s": 0.04, "frames": "newest"})


@contextmanager
def _aravis(_folder: Path) -> Iterator[Kind]:
    with gige_cameras() as (simulator,):
        size = [["Width", 256], ["Height", 128]]
        settings = {"driver": "aravis", "device": simulator.device, "settings": size}
        free = {"trigger": "free", "settings": [*size, ["AcquisitionFrameRate", 25.0]]}
        yield Kind("aravis", settings, free, simulator.kill, simulator.start)


def leave_alarms_to_pylon() -> None:
    """pylon ends its waits with SIGALRM; so does pytest-timeout its tests, and leaves a handler that ends them or all.

    For tests with pylon in their own process, which are marked timeout(method="thread"). In the appliance each driver
    has a process of its own, and no such neighbours.
    """
    signal.signal(signal.SIGALRM, lambda *_: None)


@contextmanager
def _pylon(_folder: Path) -> Iterator[Kind]:
    before = os.environ.get("PYLON_CAMEMU")
    os.environ["PYLON_CAMEMU"] = "1"
    leave_alarms_to_pylon()
    try:
        size = [["Width", 96], ["Height", 60], ["TestImageSelector", "Testimage2"]]
        rate = [["AcquisitionFrameRateEnable", True], ["AcquisitionFrameRate", 25.0]]
        yield Kind("pylon", {"driver": "pylon", "settings": size}, {"trigger": "free", "settings": [*size, *rate]})
    finally:
        if before is None:
            del os.environ["PYLON_CAMEMU"]
        else:
            os.environ["PYLON_CAMEMU"] = before


@contextmanager
def _rtsp(_folder: Path) -> Iterator[Kind]:
    server = RtspServer("--width", "320", "--height", "240", "--fps", "25").start()
    try:
        yield Kind("rtsp", {"driver": "opencv", "url": server.url}, unplug=server.kill, plug=server.start)
    finally:
        server.end()


@contextmanager
def _mjpeg(_folder: Path) -> Iterator[Kind]:
    server = MjpegServer("--width", "320", "--height", "240", "--fps", "25").start()
    try:
        yield Kind("mjpeg", {"driver": "opencv", "url": server.url}, unplug=server.kill, plug=server.start)
    finally:
        server.end()


@contextmanager
def _gstreamer(_folder: Path) -> Iterator[Kind]:
    source = "videotestsrc is-live=true pattern=ball"
    settings = {"driver": "gstreamer", "source": source, "width_px": 96, "height_px": 60, "frame_rate_hz": 25.0}
    yield Kind("gstreamer", settings, unplug=lambda: kill_pipelines(source), plug=lambda: None)


@contextmanager
def _v4l2(_folder: Path) -> Iterator[Kind]:
    raise AssertionError("there is no device here")
    yield


_PARTS: dict[str, Callable[[Path], Any]] = {
    "virtual": _virtual,
    "folder": _folder,
    "aravis": _aravis,
    "pylon": _pylon,
    "rtsp": _rtsp,
    "mjpeg": _mjpeg,
    "gstreamer": _gstreamer,
    "v4l2": _v4l2,
}
KINDS = tuple(_PARTS)


def missing(name: str) -> str:
    """Why this kind cannot be tried here, as one sentence; empty where it can."""
    why = {
        "aravis": lambda: "" if shutil.which(PROGRAM) else f"{PROGRAM} is not installed (apt install aravis-tools)",
        "pylon": lambda: "" if importlib.util.find_spec("pypylon") else "pip install 'inspection-appliance[pylon]'",
        "rtsp": lambda: missing_for_rtsp().removeprefix("not verified: "),
        "gstreamer": _missing_for_gstreamer,
        "v4l2": lambda: "no device here; see the slow test in QEMU (pytest -m slow tests/camera/opencv)",
    }.get(name, lambda: "")()
    return f"not verified: {name}: {why}" if why else ""


def _missing_for_gstreamer() -> str:
    inspect = shutil.which("gst-inspect-1.0")
    if inspect and all(subprocess.run([inspect, "--exists", one], check=False).returncode == 0 for one in GST_ELEMENTS):
        return ""
    return "apt install gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-bad"


@contextmanager
def running(name: str, folder: Path) -> Iterator[Kind]:
    """The kind's part, running; ended with the block."""
    with ExitStack() as parts:
        yield parts.enter_context(_PARTS[name](folder))


def write_pictures(folder: Path, count: int = 60) -> None:
    """So many small pictures, no two alike."""
    folder.mkdir(parents=True)
    for number in range(count):
        assert cv2.imwrite(str(folder / f"{number:03}.png"), np.full((24, 32), number * 4, np.uint8))


def kill_pipelines(source: str) -> None:
    """Every gst-launch-1.0 that this process, or a child of its, has started with that source."""
    for pid in descendants(os.getpid()):
        command = _read(f"/proc/{pid}/cmdline").replace("\0", " ")
        if command.startswith("gst-launch-1.0") and source in command:
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Processes that it has started, and those that they have."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in _read(f"{thread}/children").split():
            found += [int(child), *descendants(int(child))]
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""
