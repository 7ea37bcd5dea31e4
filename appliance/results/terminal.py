"""What a person reads: columns, colours where there is a terminal, how far it is, and a pipe that may end."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TextIO

RED: Final = "\x1b[31m"
GREEN: Final = "\x1b[32m"
YELLOW: Final = "\x1b[33m"
ALARM: Final = "\x1b[1;37;41m"
DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"
_CLEARED: Final = "\r\x1b[K"
_GAP: Final = "  "
_REDRAWN_S: Final = 0.2


def has_colours(out: TextIO) -> bool:
    """A terminal whose owner did not say https://no-color.org."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str, colour: str, out: TextIO) -> str:
    """The text, in this colour where `out` shows it."""
    return f"{colour}{text}{_PLAIN}" if colour and has_colours(out) else text


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], rights: frozenset[str] = frozenset()) -> str:
    """Columns as wide as their widest cell; those whose heading is among `rights` stand at their right edge."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if heading in rights else cell.ljust(width)
            for cell, width, heading in zip(row, widths, headings, strict=True)
        )
        return _GAP.join(cells).rstrip()

    return "\n".join(map(line, (headings, *rows)))


def count(number: int) -> str:
    """With a space between thousands: 1 204 311."""
    return f"{number:,}".replace(",", " ")


def of(number: int, what: str) -> str:
    """Such as `1 gap`, `1 204 gaps`."""
    return f"{count(number)} {what}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Bytes as a person says them: 812 B, 1.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if number >= 100 or unit == "B" else f"{number:.1f} {unit}"


def say(sentence: str) -> None:
    """To the person, and not into the data."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def clean(text: object) -> str:
    """What a message says, without what would steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text))


@contextmanager
def pipe_may_end() -> Iterator[None]:
    """Whoever reads our output (`head`, a pager) may have had enough: that ends us without a word."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        leave_standard_output()


def leave_standard_output() -> None:
    """Nobody reads it any more; Python flushes it again at its end, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class HowFar:
    """A line on a terminal, drawn again some times a second; elsewhere nothing."""

    def __init__(self, what: str, total: int | None) -> None:
        """`total`: about how many there will be, where that is known."""
        self._what = what
        self._total = total
        self._out = sys.stderr
        self._is_shown = self._out.isatty()
        self._drawn_s = time.monotonic()
        self._has_drawn = False

    def at(self, done: int) -> None:
        """So many are done. A microsecond where nothing is drawn."""
        if not self._is_shown or time.monotonic() - self._drawn_s < _REDRAWN_S:
            return
        self._drawn_s = time.monotonic()
        self._has_drawn = True
        share = f" ({min(99, 100 * done // self._total)} %)" if self._total else ""
        print(f"{_CLEARED}{self._what}: {count(done)}{share}", end="", file=self._out, flush=True)

    def done(self) -> None:
        """Take the line away."""
        if self._has_drawn:
            print(_CLEARED, end="", file=self._out, flush=True)
