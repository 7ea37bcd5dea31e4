"""A real browser (Chromium without a window), spoken to over its debugging pipe: no driver and no port of its own."""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from running import until

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


_WITH_PIPES = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 20) for fd in sys.argv[1:3]]
for number, end in enumerate(ends, 3):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads its commands from 3 and answers on 4."""


class Browser:
    """One page. Used by one thread, and ended by close()."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 900) -> None:
        assert PROGRAM is not None
        theirs_in, self._ours_out = os.pipe()
        self._ours_in, theirs_out = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _WITH_PIPES, str(theirs_in), str(theirs_out), PROGRAM),
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"),
                *(f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank"),
            ],
            pass_fds=[theirs_in, theirs_out],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number = 0
        self._events: list[str] = []
        self._rest = b""
        targets = self._call("Target.getTargets")["targetInfos"]
        (page,) = (one["targetId"] for one in targets if one["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]

    def go(self, url: str) -> None:
        """Returns when the page is loaded."""
        self._call("Page.enable", session=True)
        self._events.clear()
        self._call("Page.navigate", session=True, url=url)
        while "Page.loadEventFired" not in self._events:
            self._events.append(json.loads(self._next()).get("method", ""))

    def ask(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self._call("Runtime.evaluate", session=True, expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str, timeout_s: float = 30.0) -> Any:
        return until(lambda: self.ask(script), script, timeout_s)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """The left button, from one point of the window to another."""
        for kind, (x, y), buttons in (("mousePressed", start, 1), ("mouseMoved", end, 1), ("mouseReleased", end, 0)):
            self._call(
                "Input.dispatchMouseEvent",
                session=True,
                type=kind,
                x=x,
                y=y,
                button="left",
                buttons=buttons,
                clickCount=1,
            )

    def press(self, key: str) -> None:
        self._call("Input.dispatchKeyEvent", session=True, type="keyDown", key=key, text=key if len(key) == 1 else "")
        self._call("Input.dispatchKeyEvent", session=True, type="keyUp", key=key)

    def picture(self, file: Path) -> None:
        """A screenshot, for people."""
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", session=True)["data"]))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._ours_in)
        os.close(self._ours_out)

    def _call(self, method: str, *, session: bool = False, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = self._session
        os.write(self._ours_out, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._next())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._events.append(answer.get("method", ""))

    def _next(self) -> bytes:
        while b"\0" not in self._rest:
            data = os.read(self._ours_in, 1 << 16)
            assert data, "the browser has ended"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return message
