"""The live view: drawn anew in place on a terminal, lines of changes elsewhere."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TextIO

from appliance.client.box import Box
from appliance.client.deployments_text import Look, changes, clean, live
from appliance.client.errors import ClientError
from appliance.steering.document import Document, deployments

_WAIT_S: Final = 20.0
_AGAIN_S: Final = 2.0
_SMOOTH: Final = 0.5


class Rates:
    """Bytes a second of each download, from one document to the next."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, int]] = {}
        self.now: dict[str, float] = {}
        """By deployment; those that move."""

    def take(self, document: Document, at_s: float) -> None:
        """The next document, received at that moment of the monotonic clock."""
        for one in deployments(document):
            name, done = one["id"], int(one["bytes_done"])
            if one["state"] != "downloading":
                self.now.pop(name, None)
                continue
            before_s, before = self._last.get(name, (at_s, done))
            if at_s > before_s:
                rate = max(0, done - before) / (at_s - before_s)
                self.now[name] = _SMOOTH * self.now.get(name, rate) + (1 - _SMOOTH) * rate
            self._last[name] = (at_s, done)


class Screen:
    """A terminal, or a file that takes lines."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn = 0
        self._before: Document | None = None
        self._said: str | None = None
        self.is_terminal = out.isatty()

    def show(self, document: Document, rates: Rates) -> None:
        """The newest."""
        if self.is_terminal:
            self._draw(live(document, rates.now, self._look()))
        else:
            self._print(changes(self._before, document))
        self._before, self._said = document, None

    def say(self, sentence: str) -> None:
        """Why there is nothing newer, once."""
        if sentence == self._said:
            return
        self._said = sentence
        self._drawn = 0  # what was known stays above it
        self._print([clean(sentence)])

    def _draw(self, lines: Sequence[str]) -> None:
        """In the place of what was drawn before; not more than the terminal is high."""
        shown = lines[: max(1, shutil.get_terminal_size().lines - 1)]
        up = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        self._out.write(up + "\n".join(shown) + "\n")
        self._out.flush()
        self._drawn = len(shown)

    def _print(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._out.write(line + "\n")
        self._out.flush()

    def _look(self) -> Look:
        encoding = (self._out.encoding or "").lower().replace("-", "")
        return Look(
            width=shutil.get_terminal_size().columns,
            color="NO_COLOR" not in os.environ,
            plain=encoding != "utf8",
        )


def watch(
    box: Box,
    out: TextIO | None = None,
    *,
    goes_on: Callable[[], bool] = lambda: True,
    pause: Callable[[float], Any] = time.sleep,
) -> None:
    """Show each change until Ctrl-C. A box that goes away is waited for. Raises: ClientError where none was there."""
    screen, rates = Screen(out or sys.stdout), Rates()
    tag: str | None = None
    while goes_on():
        try:
            reply = box.read("/deployments", tag=tag, wait_s=0.0 if tag is None else _WAIT_S)
            if reply.status == 304:
                pause(reply.retry_after_s)
                continue
            document = box.said(reply).body
        except ClientError as error:
            if tag is None:
                raise
            screen.say(f"{error} It is asked again.")
            pause(_AGAIN_S)
            continue
        tag = reply.tag
        rates.take(document, time.monotonic())
        screen.show(document, rates)
