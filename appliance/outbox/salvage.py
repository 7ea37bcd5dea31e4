"""What can still be read from a damaged file, and which numbers are lost with it."""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.outbox.row import GAP_TOPIC, Row, from_disk, gap

_BLOCK_ROWS: Final = 512
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


def readable_rows(path: Path, first: int, last: int, limit_s: float) -> list[Row]:
    """The rows between `first` and `last` that are whole, in order, found within `limit_s` seconds.

    Where a block of rows cannot be read it is halved until the damaged ones stand alone.
    """
    try:
        db = sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True, timeout=1.0)
    except sqlite3.Error:
        return []
    found: list[Row] = []
    end_ns = time.monotonic_ns() + int(limit_s * 1e9)
    try:
        last = min(last, _newest(db, last))
        blocks = [(start, min(start + _BLOCK_ROWS - 1, last)) for start in range(first, last + 1, _BLOCK_ROWS)]
        blocks.reverse()
        while blocks and time.monotonic_ns() < end_ns:
            start, end = blocks.pop()
            try:
                found += _whole(db, start, end)
            except sqlite3.Error:
                if start < end:
                    middle = (start + end) // 2
                    blocks += [(middle + 1, end), (start, middle)]
    finally:
        db.close()
    return found


def gaps(expected: Iterable[Expected], saved: Iterable[Row], row: int, reason: str) -> Iterator[Row]:
    """A gap row for each run of expected numbers that is not among `saved`; rows count up from `row`."""
    covered: dict[str, list[tuple[int, int]]] = {}
    for one in saved:
        covered.setdefault(one.stream, []).append((one.sequence, one.through))
    for owed in expected:
        for first, last in _missing(owed.first, owed.last, sorted(covered.get(owed.stream, []))):
            payload = gap(owed.stream, first, last, reason)
            yield Row(row, owed.camera, GAP_TOPIC, owed.stream, first, last, payload)
            row += 1


def _missing(first: int, last: int, covered: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in covered:
        if start > first:
            yield first, min(start - 1, last)
        first = max(first, end + 1)
    if first <= last:
        yield first, last


def _newest(db: sqlite3.Connection, otherwise: int) -> int:
    try:
        newest = db.execute("SELECT max(row) FROM rows").fetchone()[0]
    except sqlite3.Error:
        return otherwise
    return 0 if newest is None else int(newest)


def _whole(db: sqlite3.Connection, first: int, last: int) -> list[Row]:
    rows = (from_disk(found) for found in db.execute(_SELECT, (first, last)))
    return [row for row in rows if row is not None]
