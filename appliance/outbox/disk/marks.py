"""When rows were recorded, a minute at a time: a table with one entry for each minute in which there were any.

"From this row on the wall clock showed this minute." It costs a write a minute, where an index would cost one a row,
and stays true when the clock jumps: rows are in the order of recording, whatever the clock said.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

MINUTE_NS: Final = 60_000_000_000
_FUTURE_MINUTES: Final = 60
"""A row that is so far ahead of the clock says nothing about its age."""

CREATE: Final = "CREATE TABLE marks (row INTEGER PRIMARY KEY, minute INTEGER NOT NULL);"


@dataclass(frozen=True, slots=True)
class Old:
    """Which rows are too old."""

    through: int
    """All rows up to this one; 0: none."""
    next_minute: int
    """Once this minute is too old as well, there are more."""


def note(db: sqlite3.Connection, row: int, utc_ns: int, minute: int | None) -> int:
    """`row` is recorded at this moment; `minute` is that of the newest mark. Returns the newest mark's now."""
    now = utc_ns // MINUTE_NS
    if now != minute:
        db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (row, now))
    return now


def newest(db: sqlite3.Connection) -> int | None:
    """The minute of the newest mark."""
    found = db.execute("SELECT minute FROM marks ORDER BY row DESC LIMIT 1").fetchone()
    return None if found is None else int(found[0])


def derive(db: sqlite3.Connection) -> None:
    """Make the marks from the rows; reads all of them."""
    db.execute("DELETE FROM marks")
    db.execute(
        "INSERT INTO marks SELECT row, minute FROM (SELECT row, recorded_utc_ns / 60000000000 AS minute,"
        " lag(recorded_utc_ns / 60000000000) OVER (ORDER BY row) AS before FROM rows)"
        " WHERE before IS NULL OR minute <> before"
    )


def prune(db: sqlite3.Connection) -> None:
    """Forget those of rows that are gone."""
    db.execute(
        "DELETE FROM marks WHERE row < (SELECT max(row) FROM marks WHERE row <="
        " (SELECT coalesce(min(row), 9223372036854775807) FROM rows))"
    )


def old(db: sqlite3.Connection, cutoff_ns: int, utc_ns: int, newest_row: int) -> Old:
    """The rows from the oldest on whose minute was over before the cutoff.

    A row is never older than the one before it: the first that is young by a believable clock ends it, and one from
    the future goes with those around it.
    """
    cutoff, now = cutoff_ns // MINUTE_NS, utc_ns // MINUTE_NS
    through, was_old = 0, False
    for row, minute in db.execute("SELECT row, minute FROM marks ORDER BY row"):
        if was_old:
            through = row - 1
        if minute >= cutoff and minute <= now + _FUTURE_MINUTES:
            return Old(through, minute)
        was_old = minute < cutoff
    return Old(newest_row if was_old else through, now)


def span(db: sqlite3.Connection, since_ns: int | None, until_ns: int | None) -> tuple[int, int] | None:
    """No row outside of these two was recorded in that time; None where there is none in it."""
    since = -(2**62) if since_ns is None else since_ns // MINUTE_NS
    until = 2**62 if until_ns is None else until_ns // MINUTE_NS
    first, last = db.execute(
        "SELECT min(row), max(row) FROM marks WHERE minute BETWEEN ? AND ?", (since, until)
    ).fetchone()
    if first is None:
        return None
    following = db.execute("SELECT min(row) FROM marks WHERE row > ?", (last,)).fetchone()[0]
    return int(first), 2**62 if following is None else int(following) - 1
