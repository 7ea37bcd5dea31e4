"""`appliance results tail`: the newest results, and each further one as it is recorded."""

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

from appliance.outbox.files import current
from appliance.outbox.history import Selection
from appliance.outbox.row import GAP_TOPIC
from appliance.results.message import Message
from appliance.results.pretty import Pretty
from appliance.results.recorded import RecordedRows
from appliance.results.source import Wanted, outbox_folder, selection, wanted
from appliance.results.terminal import HowFar, pipe_may_end

LINES: Final = 20
_POLL_S: Final = 0.1
"""Three looks at files' times; the rows are read when one has changed."""
_UNASKED_S: Final = 2.0
"""Read after so long also where no time has changed: a file system's clock may be coarse."""
_WIDER: Final = 8


class _Show(Protocol):
    def message(self, one: Message) -> None:
        """Show it."""

    def missing(self, camera: str | None, stream: str, first: int, last: int) -> None:
        """Numbers that nobody named, and that are not here."""

    def notice(self, sentence: str) -> None:
        """What else happened."""


def tail(options: argparse.Namespace) -> int:
    """Until Ctrl-C, or to the end with --no-follow. Raises: ResultsError, OutboxError, ConfigError."""
    folder = outbox_folder(options)
    rows = RecordedRows(folder)
    show: _Show = _Bytes() if options.json else Pretty(sys.stdout)
    with closing(rows), pipe_may_end():
        view = _View(rows, selection(options), wanted(options), show)
        try:
            asks_for_a_span = options.since is not None or options.from_sequence is not None
            lines = options.lines if options.lines is not None else None if asks_for_a_span else LINES
            view.begin(lines)
            sys.stdout.flush()
            if not options.no_follow:
                view.follow(folder)
        except KeyboardInterrupt:
            pass  # the way to end it
    return 0


class _View:
    """One thread."""

    def __init__(self, rows: RecordedRows, chosen: Selection, which: Wanted, show: _Show) -> None:
        self._rows = rows
        self._chosen = chosen
        self._which = which
        self._show = show
        self._row = 0
        self._last: dict[str, int] = {}

    def begin(self, lines: int | None) -> None:
        """Show the newest so many; None: all that are asked for."""
        newest = self._rows.history.holding().newest_row
        if lines is None:
            self._show_all(self._rows.every(self._chosen))
        elif lines:
            self._show_all(self._newest(newest, lines))
        self._row = max(self._row, newest)

    def follow(self, folder: Path) -> None:
        """For ever: each further one, at most about 0.1 s after it is on the disk."""
        seen, read_s, name = _times(folder), 0.0, current(folder)
        while True:
            if current(folder) != name:
                name = current(folder)
                self._show.notice(f"the outbox is another file now: {name and name.name}")
            while self._show_all(self._rows.after(self._row, self._chosen)):
                pass
            sys.stdout.flush()
            read_s = time.monotonic()
            before = seen
            while seen == before and time.monotonic() - read_s < _UNASKED_S:
                time.sleep(_POLL_S)
                seen = _times(folder)

    def _newest(self, newest: int, lines: int) -> Iterable[Message]:
        """From the end to the front, in portions that grow, until there are enough."""
        found: deque[Message] = deque(maxlen=lines)
        until, span = newest, lines
        progress = HowFar("looking for them", newest)
        while until > 0 and len(found) < lines:
            begin = max(0, until - span)
            portion: deque[Message] = deque(maxlen=lines - len(found))
            row = begin
            while row < until:
                some = self._rows.after(row, self._chosen, 1000)
                portion.extend(one for one in some if one.row <= until and self._takes(one))
                row = some[-1].row if some else until
                progress.at(newest - until + row - begin)
            found.extendleft(reversed(portion))
            until, span = begin, span * _WIDER
        progress.done()
        return found

    def _show_all(self, messages: Iterable[Message]) -> bool:
        """Whether there were any."""
        has_any = False
        for one in messages:
            has_any = True
            self._row = max(self._row, one.row)
            expected = self._last.get(one.stream, one.sequence - 1) + 1
            if one.sequence > expected and self._is_dense:
                self._show.missing(one.camera, one.stream, expected, one.sequence - 1)
            self._last[one.stream] = max(one.through, expected - 1)
            if self._takes(one):
                self._show.message(one)
        return has_any

    def _takes(self, one: Message) -> bool:
        return one.topic == GAP_TOPIC or self._which.takes(one.fields)

    @property
    def _is_dense(self) -> bool:
        """Whether a number that is not among the rows is missing, or may only have been filtered out."""
        return self._chosen.topic is None and self._which.is_all


class _Bytes:
    """JSON lines: each message byte for byte."""

    def message(self, one: Message) -> None:
        sys.stdout.buffer.write(one.payload + b"\n")

    def missing(self, camera: str | None, stream: str, first: int, last: int) -> None:
        """Standard output is for messages only."""

    def notice(self, sentence: str) -> None:
        """Standard output is for messages only."""


def _times(folder: Path) -> tuple[object, ...]:
    """What changes whenever something is recorded."""
    path = current(folder)
    if path is None:
        return ()
    return (path.name, *map(_time, (path, path.with_name(f"{path.name}-wal"))))


def _time(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
