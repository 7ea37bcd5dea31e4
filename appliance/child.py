"""The gateway as a child of the line: started, listened to, and started again alone when it dies."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.link import Link

logger = logging.getLogger(__name__)

_BACK_OFF_S: Final = (0.5, 10.0)
"""First and longest wait before it is started again; without limit, for the line goes on meanwhile."""
_HEALTHY_S: Final = 30.0
"""Having run for so long, a gateway is started again after the first wait."""


class GatewayChild:
    """Keeps one gateway process running.

    Threads: run() is the owner's thread for it; send() and drain() may be called by any.
    """

    def __init__(self, config_file: Path, acknowledged: Callable[[int], None], changed: Callable[[], None]) -> None:
        """`acknowledged` takes the row up to which the broker has everything; `changed`: it died, or is back."""
        self._config_file = config_file
        self._acknowledged = acknowledged
        self._changed = changed
        self._stopping = threading.Event()
        self._gone = threading.Event()
        self._lock = threading.Lock()
        self._link: Link | None = None  # guarded by _lock
        self._process: subprocess.Popen[bytes] | None = None  # guarded by _lock
        self.problem: str | None = "The gateway has not started yet."
        """Why nobody is told of results at present; None while it runs."""

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        with self._lock:
            return None if self._process is None else self._process.pid

    def send(self, raw: bytes) -> bool:
        """A datagram, as `Link.send_raw`; dropped while the gateway is away."""
        with self._lock:
            return self._link is not None and self._link.send_raw(raw)

    def run(self) -> None:
        """Until drain() or stop(): start it, listen to it, start it again."""
        wait_s = _BACK_OFF_S[0]
        while not self._stopping.is_set():
            started = time.monotonic()
            code = self._live()
            if self._stopping.is_set():
                break
            if time.monotonic() - started > _HEALTHY_S:
                wait_s = _BACK_OFF_S[0]
            self._say(
                f"The gateway ended with code {code}; MQTT and REST are away, results wait on disk. "
                f"It is started again in {wait_s:.1f} s; its reason is in the log."
            )
            self._stopping.wait(wait_s)
            wait_s = min(wait_s * 2, _BACK_OFF_S[1])
        self._gone.set()

    def drain(self, row: int, timeout_s: float) -> bool:
        """End it after it has delivered everything up to `row`; False where that took too long and it was ended."""
        self._stopping.set()
        with self._lock:
            link, process = self._link, self._process
        if link is None or process is None:
            return False
        link.send("drain", {"row": row, "timeout_s": timeout_s})
        try:
            return process.wait(timeout_s + 2.0) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
        finally:
            link.close()
            self._gone.wait(5.0)

    def _live(self) -> int:
        """One life of the gateway; its exit code."""
        link, theirs = Link.pair()
        command = [sys.executable, "-m", "appliance.gateway", "--config", str(self._config_file)]
        with theirs:
            process = subprocess.Popen(
                [*command, "--link", str(theirs.fileno())], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        with self._lock:
            self._link, self._process = link, process
        self._say(None)
        try:
            self._listen(link)
        finally:
            with self._lock:
                self._link = self._process = None
            link.close()
        return process.wait()

    def _listen(self, link: Link) -> None:
        while (message := link.receive()) is not None:
            if message.kind == "acknowledged":
                self._acknowledged(int(message.body["row"]))

    def _say(self, problem: str | None) -> None:
        if problem is not None:
            logger.error(problem)
        self.problem = problem
        self._changed()
