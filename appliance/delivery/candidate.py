"""A candidate in a process of its own: the examiner as the delivery process sees it, from its start to its end."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from appliance.link import Link

logger = logging.getLogger(__name__)

_LEAVES_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Frames:
    """The line's ring of frames, as this process inherited it."""

    memory: int
    socket: int
    """Descriptors."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a candidate did not get on."""

    stage: str
    """loading, accepting or shadowing."""
    reason: str
    detail: str
    report: Mapping[str, Any] = field(default_factory=dict)
    """What it had found by then."""


class Candidate:
    """One run of the examiner on one release. `changed` is called, on a thread of its own, at each thing it says.

    Threads: start() and stop() by one; the rest by any.
    """

    def __init__(
        self,
        config_file: Path,
        model: str,
        folder: Path,
        digest: str,
        frames: Frames | None,
        changed: Callable[[], None],
    ) -> None:
        self._command = [sys.executable, "-m", "appliance.examiner", "--config", str(config_file), "--model", model]
        self._command += ["--folder", str(folder), "--digest", digest]
        self._frames = frames
        self._changed = changed
        self._link: Link | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._stopping = False
        self.loaded: Mapping[str, Any] | None = None
        self.acceptance: Mapping[str, Any] | None = None
        self.shadow: Mapping[str, Any] | None = None
        self.trouble: Trouble | None = None
        """Set once; nothing more comes from it then."""

    def start(self) -> None:
        """Returns at once; what comes of it is told by `changed`. Raises: OSError."""
        ours, theirs = Link.pair()
        passed = [theirs.fileno()]
        command = [*self._command, "--link", str(theirs.fileno())]
        if self._frames is not None:
            passed += [self._frames.memory, self._frames.socket]
            command += ["--frames-memory", str(self._frames.memory), "--frames-socket", str(self._frames.socket)]
        try:
            process = subprocess.Popen(command, pass_fds=passed, stdin=subprocess.DEVNULL)
        finally:
            theirs.close()
        self._link, self._process = ours, process
        self._listener = threading.Thread(target=self._listen, args=(ours, process), name="candidate", daemon=True)
        self._listener.start()

    def look_on(self) -> None:
        """From now on it judges the line's frames, too."""
        if self._link is not None:
            self._link.send("shadow", {"on": True})

    def stop(self) -> None:
        """End it, by force where it does not end by itself. May be called twice, and before start()."""
        self._stopping = True
        if self._process is None or self._link is None:
            return
        self._link.send("stop", {})
        try:
            self._process.wait(_LEAVES_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._link.close()
        if self._listener is not None and self._listener is not threading.current_thread():
            self._listener.join(_LEAVES_S)

    def _listen(self, link: Link, process: "subprocess.Popen[bytes]") -> None:
        try:
            while (message := link.receive()) is not None:
                self._take(message.kind, message.body)
                self._changed()
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # it runs a stranger's model
            self._fail("crashed", f"The examiner talks nonsense: {error!r}.")
            process.kill()
        code = process.wait()
        if not self._stopping and self.trouble is None:
            self._fail("crashed", f"The process that examines it ended with code {code}; its reason is in the log.")
        self._changed()

    def _take(self, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "loaded":
            self.loaded = body
        elif kind == "accepted":
            self.acceptance = dict(body["report"])
        elif kind == "shadow":
            self.shadow = dict(body["report"])
        elif kind == "failed" and self.trouble is None:
            report = dict(body.get("report") or {})
            self.trouble = Trouble(str(body["stage"]), str(body["reason"])[:64], str(body["detail"])[:2000], report)

    def _fail(self, reason: str, detail: str) -> None:
        stage = "loading" if self.loaded is None else "accepting" if self.acceptance is None else "shadowing"
        self.trouble = self.trouble or Trouble(stage, reason, detail)
