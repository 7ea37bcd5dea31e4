"""What can still be read from a damaged file, and which numbers are lost with it."""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.outbox.chain import link_after, prev_of
from appliance.outbox.disk.tables import room_for
from appliance.outbox.row import GAP_TOPIC, Row, from_disk, gap

_BLOCK_ROWS: Final = 512
_ROW_MAX: Final = 2**53
"""No outbox gets so far; a higher one is damage."""
_FRUITLESS_S: Final = 10.0
"""Given up after so long without a whole row."""
_SELECT: Final = (
    "SELECT row, camera, topic, stream, sequence, through, payload, checksum, recorded_utc_ns FROM rows"
    " WHERE row BETWEEN ? AND ? ORDER BY row"
)


@dataclass(frozen=True, slots=True)
class Expected:
    """One stream's numbers that were not acknowledged and may have been given out."""

    camera: str
    stream: str
    first: int
    last: int


@dataclass(slots=True)
class _Run:
    """Neighbouring numbers of a stream that were saved."""

    first: int
    last: int
    prev: str | None
    newest: bytes
    """The payload of its last record."""


@dataclass(slots=True)
class _Found:
    """What was saved of a stream."""

    camera: str
    highest: int = 0
    runs: list[_Run] = field(default_factory=list)


class Salvage:
    """One thread reads kept() and rows() to their ends, then gaps(), then calls close()."""

    def __init__(self, path: Path | None, first: int, last: int | None) -> None:
        """Look for rows from `first` to `last`; to the file's own newest where nobody knows what that was."""
        self._first = first
        self._db = None if path is None else _open(path)
        newest = None if self._db is None else _newest(self._db)
        bounds = [bound for bound in (newest, last, _ROW_MAX) if bound is not None]
        self.last: Final = min(bounds) if len(bounds) > 1 else first - 1
        """No row above this one is looked for."""
        self.saved = 0
        self.saved_kept = 0
        """Of the rows before `first`."""
        self._found: dict[str, _Found] = {}
        self._links: dict[str, tuple[int, str]] = {}
        """Stream -> the newest of its records before `first`, and the link behind it."""

    def kept(self, most_bytes: int, limit_s: float) -> Iterator[tuple[Row, int]]:
        """Rows before `first` that are whole, the newest first, as many as there is time and room for."""
        if self._db is None:
            return
        end_ns = time.monotonic_ns() + int(limit_s * 1e9)
        oldest = _oldest(self._db)
        last = min(self._first - 1, self.last if self.last >= self._first else self._first - 1)
        while oldest is not None and last >= oldest and most_bytes > 0:
            start = max(oldest, last - _BLOCK_ROWS + 1)
            for row, recorded_utc_ns in reversed(list(_whole_of(self._db, start, last, end_ns))):
                self.saved_kept += 1
                most_bytes -= room_for(len(row.payload))
                if row.through > self._links.get(row.stream, (-1, ""))[0]:
                    self._links[row.stream] = (row.through, link_after(row.payload))
                yield row, recorded_utc_ns
            if time.monotonic_ns() > end_ns:
                return
            last = start - 1

    def rows(self) -> Iterator[tuple[Row, int]]:
        """The rows that are whole, in order; where a block cannot be read it is halved until the bad ones are alone."""
        if self._db is None:
            return
        found_ns = time.monotonic_ns()
        for begin in range(self._first, self.last + 1, _BLOCK_ROWS):
            end = min(begin + _BLOCK_ROWS - 1, self.last)
            for row, recorded_utc_ns in _whole_of(self._db, begin, end):
                found_ns = time.monotonic_ns()
                self._note(row)
                yield row, recorded_utc_ns
            if time.monotonic_ns() - found_ns > _FRUITLESS_S * 1e9:
                return

    def ends(self) -> dict[str, tuple[str, int]]:
        """By stream: the camera and the highest number of what was saved."""
        return {stream: (one.camera, one.highest) for stream, one in self._found.items()}

    def gaps(self, expected: Iterable[Expected], row: int, reason: str) -> Iterator[Row]:
        """A gap row for each run of expected numbers that was not saved; rows count up from `row`."""
        for owed in expected:
            found = self._found.get(owed.stream, _Found(owed.camera))
            runs = sorted(found.runs, key=lambda run: run.first)
            for first, last in _missing(owed.first, owed.last, runs):
                before = next((run for run in reversed(runs) if run.last < first), None)
                behind = next((run for run in runs if run.first > last), None)
                kept_to, kept_link = self._links.get(owed.stream, (0, None))
                prev = kept_link if kept_to == first - 1 else None
                if before is not None and before.last == first - 1:
                    prev = link_after(before.newest)
                replaces = behind.prev if behind is not None and behind.first == last + 1 else None
                payload = gap(owed.stream, first, last, reason, prev, replaces)
                yield Row(row, owed.camera, GAP_TOPIC, owed.stream, first, last, payload)
                row += 1

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()

    def _note(self, row: Row) -> None:
        self.saved += 1
        found = self._found.setdefault(row.stream, _Found(row.camera))
        found.highest = max(found.highest, row.through)
        if found.runs and row.sequence == found.runs[-1].last + 1:
            found.runs[-1].last = row.through
            found.runs[-1].newest = row.payload
        else:
            found.runs.append(_Run(row.sequence, row.through, prev_of(row.payload), row.payload))


def _open(path: Path) -> sqlite3.Connection | None:
    """None where the file is not so whole that its table can be found."""
    try:
        db = sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True, timeout=1.0)
    except sqlite3.Error:
        return None
    try:
        db.execute("PRAGMA writable_schema = ON")  # SQLite then reads a file that was cut short as far as it goes
        db.execute("SELECT row FROM rows LIMIT 0")
    except sqlite3.Error:
        db.close()
        return None
    return db


def _newest(db: sqlite3.Connection) -> int | None:
    try:
        newest = db.execute("SELECT max(row) FROM rows").fetchone()[0]
    except sqlite3.Error:
        return None
    return 0 if newest is None else int(newest)


def _oldest(db: sqlite3.Connection) -> int | None:
    try:
        oldest = db.execute("SELECT min(row) FROM rows").fetchone()[0]
    except sqlite3.Error:
        return None
    return None if oldest is None else int(oldest)


def _whole_of(db: sqlite3.Connection, first: int, last: int, end_ns: int | None = None) -> Iterator[tuple[Row, int]]:
    """The whole rows from `first` to `last`; until `end_ns`, CLOCK_MONOTONIC."""
    blocks = [(first, last)]
    while blocks and (end_ns is None or time.monotonic_ns() < end_ns):
        start, end = blocks.pop()
        whole = _whole(db, start, end)
        if whole is None and start < end:
            middle = (start + end) // 2
            blocks += [(middle + 1, end), (start, middle)]
        yield from whole or ()


def _whole(db: sqlite3.Connection, first: int, last: int) -> list[tuple[Row, int]] | None:
    """None where not all of these rows can be read."""
    try:
        rows = [(from_disk(found[:8]), found[8]) for found in db.execute(_SELECT, (first, last))]
    except sqlite3.Error:
        return None
    return [(row, recorded) for row, recorded in rows if row is not None and isinstance(recorded, int)]


def _missing(first: int, last: int, runs: Iterable[_Run]) -> Iterator[tuple[int, int]]:
    for run in runs:
        if run.first > first:
            yield first, min(run.first - 1, last)
        first = max(first, run.last + 1)
    if first <= last:
        yield first, last
