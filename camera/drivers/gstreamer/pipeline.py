"""The child process that runs a pipeline: gst-launch-1.0, of which we read the pictures and the complaints."""

import fcntl
import os
import select
import shlex
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from fractions import Fraction
from typing import Final

from camera.config import GstreamerConfig
from camera.drivers.gstreamer.gdp import GdpReader, NotGdp, Picture
from camera.errors import CameraConfigError, CameraError, CameraInUse, CameraLost, CameraNotFound

_LAUNCH: Final = "gst-launch-1.0"
INSTALL: Final = "apt install gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-bad"
_FORMATS: Final = {"Mono8": ("GRAY8", 1), "BGR8": ("BGR", 3)}
_PIPE_BYTES: Final = 1 << 20
_SAID_MAX: Final = 4096
_END_S: Final = 1.0


def row_bytes(config: GstreamerConfig) -> int:
    """Of a picture's row, as GStreamer lays it out: filled up to four bytes."""
    return -(-config.width_px * _FORMATS[config.pixel_format][1] // 4) * 4


def command(config: GstreamerConfig, fd: int) -> list[str]:
    """The pipeline that writes to file descriptor `fd`. Raises: CameraConfigError."""
    try:
        source = shlex.split(config.source)
    except ValueError as error:
        raise CameraConfigError(f"source {config.source!r} cannot be taken apart: {error}") from error
    rate = Fraction(config.frame_rate_hz).limit_denominator(1001)
    caps = (
        f"video/x-raw,format={_FORMATS[config.pixel_format][0]},width={config.width_px},height={config.height_px},"
        f"framerate={rate.numerator}/{rate.denominator}"
    )
    # The queue drops what is old where we are slow, so that the source is never held up.
    queue = ["queue", "leaky=downstream", "max-size-buffers=2", "max-size-bytes=0", "max-size-time=0"]
    ends = ["!", "videoconvert", "!", caps, "!", *queue, "!", "gdppay", "!", "fdsink", f"fd={fd}", "sync=false"]
    return [_LAUNCH, "-q", *source, *ends]


class Pipeline:
    """One run of gst-launch-1.0. Threads: one at a time."""

    def __init__(self, config: GstreamerConfig) -> None:
        """Starts it. Raises: CameraConfigError where GStreamer is not installed."""
        if shutil.which(_LAUNCH) is None:
            raise CameraConfigError(f"GStreamer is not installed: {INSTALL}")
        self._pictures, writing = os.pipe()
        self._complaints, complaining = os.pipe()
        try:
            with suppress(OSError):  # fewer reads a picture; not everybody may have so large a pipe
                fcntl.fcntl(self._pictures, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._process = subprocess.Popen(
                command(config, writing),
                pass_fds=[writing],
                stdin=subprocess.DEVNULL,
                stdout=complaining,
                stderr=complaining,
            )
        except (CameraError, OSError):
            for fd in (self._pictures, self._complaints):
                os.close(fd)
            raise
        finally:
            for fd in (writing, complaining):
                os.close(fd)
        for fd in (self._pictures, self._complaints):
            os.set_blocking(fd, False)
        self._said = b""
        self._reader = GdpReader(self._pictures, row_bytes(config) * config.height_px)
        self._poll = select.poll()
        self._poll.register(self._pictures, select.POLLIN)
        self._poll.register(self._complaints, select.POLLIN)

    @property
    def pid(self) -> int:
        """Of gst-launch-1.0."""
        return self._process.pid

    def first(self, timeout_s: float) -> Picture:
        """The first picture. Raises: CameraConfigError, CameraInUse, CameraNotFound, with what GStreamer says."""
        until = time.monotonic() + timeout_s
        try:
            while (left_s := until - time.monotonic()) > 0:
                picture = self.next(min(left_s, 0.2))
                if picture is not None:
                    return picture
        except CameraLost as lost:
            raise self._why_none(str(lost)) from lost
        raise CameraNotFound(f"the GStreamer pipeline gives no picture within {timeout_s:g} s{self._last_words()}")

    def next(self, timeout_s: float) -> Picture | None:
        """The next picture; None: it is not whole within `timeout_s`. Raises: CameraLost, in one sentence."""
        until = time.monotonic() + timeout_s
        try:
            while True:
                left_s = until - time.monotonic()
                ready = dict(self._poll.poll(max(0.0, left_s) * 1e3))
                if self._complaints in ready:
                    self._listen()
                if self._pictures in ready:
                    picture = self._reader.read()
                    if picture is not None:
                        return picture
                if left_s <= 0:
                    return None
        except EOFError:
            raise CameraLost(f"the GStreamer pipeline ended ({self._how_it_ended()}){self._last_words()}") from None
        except NotGdp as error:
            raise CameraLost(f"the GStreamer pipeline sends something else than pictures: {error}") from error

    def end(self) -> None:
        """End it: at once where it lets go by itself, else by force after a second. After next() has returned."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.send_signal(signal.SIGCONT)  # one that was halted could not hear it
        self._how_it_ended()
        for fd in (self._pictures, self._complaints):
            os.close(fd)

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def _listen(self) -> None:
        """Keep the last of what it complains about."""
        try:
            said = os.read(self._complaints, _SAID_MAX)
        except BlockingIOError:
            return
        if not said:
            self._poll.unregister(self._complaints)
        self._said = (self._said + said)[-_SAID_MAX:]

    def _complaint(self) -> str:
        """The last line that names what is wrong; empty where it said nothing."""
        lines = [line.strip() for line in self._said.decode(errors="replace").splitlines() if line.strip()]
        naming = [line for line in lines if line.startswith(("ERROR: from element", "WARNING: erroneous", "ERROR"))]
        return (naming[0] if naming else lines[-1] if lines else "")[:300]

    def _last_words(self) -> str:
        while self._pending():
            self._listen()
        complaint = self._complaint()
        return f": {complaint}" if complaint else ""

    def _pending(self) -> bool:
        poll = select.poll()
        poll.register(self._complaints, select.POLLIN)
        return any(events & select.POLLIN for _, events in poll.poll(0))

    def _why_none(self, sentence: str) -> CameraError:
        lowered = self._said.decode(errors="replace").lower()
        if "busy" in lowered:
            return CameraInUse(sentence)
        if "erroneous pipeline" in lowered or "not-negotiated" in lowered or "syntax error" in lowered:
            if '"gdppay"' in lowered or '"videoconvert"' in lowered:
                sentence = f"{sentence}; {INSTALL}"
            return CameraConfigError(f"{sentence} (source, width_px, height_px, frame_rate_hz)")
        return CameraNotFound(sentence)
