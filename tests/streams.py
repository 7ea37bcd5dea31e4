"""Streaming cameras for tests, as processes that may be stalled, killed and started again on the same port."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from running import free_port

_HERE = Path(__file__).parent / "camera"
_BLOCK = 16
_DEBIAN_PYTHON = "/usr/bin/python3"
_NEEDED = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; Gst.init(); "
    "assert Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('rtph264pay')"
)


def missing_for_rtsp() -> str:
    """Why there can be no RTSP server here; empty where there can."""
    try:
        done = subprocess.run([_DEBIAN_PYTHON, "-c", _NEEDED], capture_output=True, timeout=30, check=False)
    except OSError as error:
        return f"not verified: {_DEBIAN_PYTHON} does not start: {error}"
    if done.returncode == 0:
        return ""
    return (
        "not verified: no RTSP server (apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 "
        "gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly)"
    )


class StreamServer:
    """One camera's server, in a process of its own. start(), then any of stall, resume, kill; end() in the end."""

    program: tuple[str, ...] = ()
    scheme = ""

    def __init__(self, *options: str) -> None:
        """`options`: as the program takes them, such as "--fps", "10"."""
        self.port = free_port()
        self.url = f"{self.scheme}://127.0.0.1:{self.port}/stream"
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> "StreamServer":
        """Returns when it listens; also after kill(), on the same port."""
        command = [*self.program, str(self.port), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", f"{command} did not come up"
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stall(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def halve_the_size(self) -> None:
        os.kill(self.pid, signal.SIGUSR1)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    end = kill


class RtspServer(StreamServer):
    """H.264 over RTSP, by GStreamer."""

    program = (_DEBIAN_PYTHON, str(_HERE / "rtsp_server.py"))
    scheme = "rtsp"


class MjpegServer(StreamServer):
    """JPEGs over HTTP."""

    program = (sys.executable, str(_HERE / "mjpeg_server.py"))
    scheme = "http"


def burned_in(pixels: np.ndarray) -> tuple[int, int]:
    """(number, CLOCK_MONOTONIC in ns at its capture) of a picture of these servers, to the microsecond.

    Raises: ValueError where the blocks do not read as one of them.
    """
    luma = pixels if pixels.ndim == 2 else pixels[..., 1]
    per_row = luma.shape[1] // _BLOCK
    value = 0
    for place in range(80):
        row, column = divmod(place, per_row)
        value = value << 1 | int(luma[row * _BLOCK + _BLOCK // 2, column * _BLOCK + _BLOCK // 2] > 128)
    value, check = value >> 8, value & 255
    if sum(value.to_bytes(9, "big")) % 256 != check:
        raise ValueError("the blocks of this picture cannot be read")
    return value & (1 << 24) - 1, (value >> 24) * 1000


def age_s(pixels: np.ndarray) -> float:
    """Seconds since the picture was taken."""
    return time.monotonic() - burned_in(pixels)[1] / 1e9
