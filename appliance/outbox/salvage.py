"""What can still be read from a damaged file, and which numbers are lost with it."""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.outbox.row import GAP_TOPIC, Row, from_disk, gap

_BLOCK_ROWS: Final = 512
_ROW_MAX: Final = 2**53
"""No outbox gets so far; a higher one is damage."""
_FRUITLESS_S: Final = 10.0
"""Given up after so long without a whole row."""
_SELECT: Final = (
    "SELECT row, camera, topic, stream, sequence, through, payload, checksum FROM rows"
    " WHERE row BETWEEN ? AND ? ORDER BY row"
)


@dataclass(frozen=True, slots=True)
class Expected:
    """One stream's numbers that were not acknowledged and may have been given out."""

    camera: str
    stream: str
    first: int
    last: int


class Salvage:
    """One thread reads rows() to its end, then gaps(), then calls close()."""

    def __init__(self, path: Path | None, first: int, last: int | None) -> None:
        """Look for rows from `first` to `last`; to the file's own newest where nobody knows what that was."""
        self._first = first
        self._db = None if path is None else _open(path)
        newest = None if self._db is None else _newest(self._db)
        bounds = [bound for bound in (newest, last, _ROW_MAX) if bound is not None]
        self.last: Final = min(bounds) if len(bounds) > 1 else first - 1
        """No row above this one is looked for."""
        self.saved = 0
        self._ends: dict[str, tuple[str, int]] = {}
        self._covered: dict[str, list[list[int]]] = {}

    def rows(self) -> Iterator[Row]:
        """The rows that are whole, in order; where a block cannot be read it is halved until the bad ones are alone."""
        if self._db is None:
            return
        starts = range(self._first, self.last + 1, _BLOCK_ROWS)
        found_ns = time.monotonic_ns()
        for begin in starts:
            blocks = [(begin, min(begin + _BLOCK_ROWS - 1, self.last))]
            while blocks:
                start, end = blocks.pop()
                whole = _whole(self._db, start, end)
                if whole is None and start < end:
                    middle = (start + end) // 2
                    blocks += [(middle + 1, end), (start, middle)]
                for row in whole or ():
                    found_ns = time.monotonic_ns()
                    self._note(row)
                    yield row
            if time.monotonic_ns() - found_ns > _FRUITLESS_S * 1e9:
                return

    def ends(self) -> dict[str, tuple[str, int]]:
        """By stream: the camera and the highest number of what was saved."""
        return dict(self._ends)

    def gaps(self, expected: Iterable[Expected], row: int, reason: str) -> Iterator[Row]:
        """A gap row for each run of expected numbers that was not saved; rows count up from `row`."""
        for owed in expected:
            for first, last in _missing(owed.first, owed.last, sorted(self._covered.get(owed.stream, []))):
                payload = gap(owed.stream, first, last, reason)
                yield Row(row, owed.camera, GAP_TOPIC, owed.stream, first, last, payload)
                row += 1

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()

    def _note(self, row: Row) -> None:
        self.saved += 1
        runs = self._covered.setdefault(row.stream, [])
        if runs and row.sequence == runs[-1][1] + 1:
            runs[-1][1] = row.through
        else:
            runs.append([row.sequence, row.through])
        highest = max(row.through, self._ends.get(row.stream, ("", 0))[1])
        self._ends[row.stream] = (row.camera, highest)


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


def _whole(db: sqlite3.Connection, first: int, last: int) -> list[Row] | None:
    """None where not all of these rows can be read."""
    try:
        rows = [from_disk(found) for found in db.execute(_SELECT, (first, last))]
    except sqlite3.Error:
        return None
    return [row for row in rows if row is not None]


def _missing(first: int, last: int, covered: Iterable[Iterable[int]]) -> Iterator[tuple[int, int]]:
    for start, end in covered:
        if start > first:
            yield first, min(start - 1, last)
        first = max(first, end + 1)
    if first <= last:
        yield first, last
