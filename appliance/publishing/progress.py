"""How far it is, for whoever waits: a bar on a terminal, plain lines elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import Final, Protocol, TextIO

_REDRAWN_S: Final = 0.1
_BAR: Final = 24
_LABEL_MIN: Final = 10
"""So much of a step's name stays on a narrow terminal; how far it is stays whole."""
_CLEARED: Final = "\r\x1b[K"


class Progress(Protocol):
    """Where the publisher's steps say what they do. One thread."""

    def step(self, what: str, total_bytes: int | None = None) -> None:
        """Another step begins, of so many bytes where that is known; the one before is over."""

    def advance(self, count: int) -> None:
        """So many more bytes of this step."""

    def done(self) -> None:
        """The last step is over."""


class Silent:
    """Says nothing."""

    def step(self, what: str, total_bytes: int | None = None) -> None: ...

    def advance(self, count: int) -> None: ...

    def done(self) -> None: ...


class Lines:
    """One line when a step begins: for files, pipes and CI."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def step(self, what: str, total_bytes: int | None = None) -> None:
        """Say it, with its size."""
        size = "" if total_bytes is None else f" ({in_bytes(total_bytes)})"
        print(f"{what}{size}", file=self._out, flush=True)

    def advance(self, count: int) -> None: ...

    def done(self) -> None: ...


class Bar:
    """A line that is drawn again, ten times a second at most, and stays as one line when its step is over."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._what: str | None = None
        self._total: int | None = None
        self._count = 0
        self._begun = self._drawn = 0.0

    def step(self, what: str, total_bytes: int | None = None) -> None:
        """Finish the one before, and show this."""
        self.done()
        self._what, self._total, self._count = what, total_bytes, 0
        self._begun = self._clock()
        self._draw()

    def advance(self, count: int) -> None:
        """Count, and draw when it is time."""
        self._count += count
        if self._clock() - self._drawn >= _REDRAWN_S:
            self._draw()

    def done(self) -> None:
        """Leave the step's line as it ended."""
        if self._what is None:
            return
        took = self._clock() - self._begun
        size = "" if not self._count else f"  {in_bytes(self._count)}"
        self._out.write(f"{_CLEARED}{self._what}{size}  {took:.1f} s\n")
        self._out.flush()
        self._what = None

    def _draw(self) -> None:
        self._drawn = self._clock()
        middle, what = self._middle(), self._what or ""
        room = max(_LABEL_MIN, shutil.get_terminal_size().columns - 1 - len(middle))
        if len(what) > room:
            what = f"{what[: room - 1]}…"
        self._out.write(_CLEARED + what + middle)
        self._out.flush()

    def _middle(self) -> str:
        if not self._total:
            return " ..."
        share = min(1.0, self._count / self._total)
        bar = "█" * int(share * _BAR)
        took = self._drawn - self._begun
        rate = f"  {in_bytes(int(self._count / took))}/s" if took > 1 else ""
        return f"  {bar:·<{_BAR}}  {share:4.0%}  {in_bytes(self._count)} of {in_bytes(self._total)}{rate}"


def progress_on(out: TextIO | None = None) -> Progress:
    """A bar where somebody watches, lines elsewhere. Progress goes to the error output: results stay apart from it."""
    out = out or sys.stderr
    return Bar(out) if out.isatty() else Lines(out)


def in_bytes(count: int) -> str:
    """`94 MB`: decimal units, as disks and networks have them."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
