"""The file in which rows wait: one transaction at a time, on the disk when it returns.

Files in the folder: `results-N.db` (the highest N is the one in use), `highwater.json`. Both are written here and
nowhere else; other processes only read them.
"""

import sqlite3
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.outbox import highwater
from appliance.outbox.errors import DiskFailed, DiskFull, OutboxDamaged, OutboxError
from appliance.outbox.row import GAP_TOPIC, PAYLOAD_MAX_BYTES, Recorded, Row, gap, new_stream, numbered

FORMAT: Final = 1
"""Of the file; goes up when its tables change."""

_SCHEMA: Final = """
CREATE TABLE rows (
  row INTEGER PRIMARY KEY, camera TEXT NOT NULL, topic TEXT NOT NULL, stream TEXT NOT NULL,
  sequence INTEGER NOT NULL, through INTEGER NOT NULL, recorded_utc_ns INTEGER NOT NULL,
  checksum INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE streams (
  camera TEXT NOT NULL, topic TEXT NOT NULL, stream TEXT NOT NULL, next INTEGER NOT NULL,
  PRIMARY KEY (camera, topic)) WITHOUT ROWID;
CREATE TABLE state (only INTEGER PRIMARY KEY CHECK (only = 1), last_row INTEGER NOT NULL, pending INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0);
PRAGMA user_version = 1;
"""
_INSERT: Final = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

FORGET_MAX_ROWS: Final = 1000
"""Deleted in one transaction: a long backlog that was acknowledged must not hold up the next part."""
_RESERVED_AHEAD: Final = 100
"""Numbers set aside at once in the high-water file: one more fsync for so many results."""
_ROW_OVERHEAD_BYTES: Final = 256
_KEPT_FREE_BYTES: Final = 262_144
"""Of the outbox's limit, for gap messages and for the tables' own pages."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much disk the rows may take, and what then."""

    max_bytes: int
    drop_oldest: bool
    """Give up the oldest rows; otherwise take no more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that has no number yet."""

    camera: str
    topic: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Losses:
    """Messages that will never be recorded: their numbers are used up, and a gap message says so."""

    counts: dict[tuple[str, str], int]
    """(camera, topic) -> how many."""
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """What one transaction did."""

    recorded: list[Recorded]
    taken: int
    """So many of the entries, from the front, are dealt with."""
    lost: int
    """Messages given up in it: named by the gap messages among `recorded`."""
    forgotten: int
    """Acknowledged rows deleted."""


@dataclass(frozen=True, slots=True)
class _Stream:
    stream: str
    next: int


class Database:
    """Used by one thread at a time. Every method raises OutboxError's kinds and leaves whole rows behind."""

    def __init__(self, folder: Path, path: Path, limits: Limits) -> None:
        """Open the existing file at `path`; see `opening.open_database` for what goes before."""
        self._folder = folder
        self.path: Final = path
        self._limit = limits.max_bytes - _KEPT_FREE_BYTES
        self._drops_oldest = limits.drop_oldest
        with in_our_words(f"The outbox {path}"):
            self._db = connect(path)
            self._page_bytes: int = self._value("PRAGMA page_size")
            self._db.execute(f"PRAGMA max_page_count = {limits.max_bytes // self._page_bytes + 64}")
            self._last_row, self._pending = self._db.execute("SELECT last_row, pending FROM state").fetchone()
            self._streams = {
                (camera, topic): _Stream(stream, following)
                for camera, topic, stream, following in self._db.execute("SELECT * FROM streams")
            }
            self._used_bytes = self._used()
            self._oldest_utc_ns = self._oldest()
        self._reserved: dict[tuple[str, str], int] = {}

    @property
    def pending(self) -> int:
        """Rows that the broker has not acknowledged, or that are not deleted yet."""
        return int(self._pending)

    @property
    def used_bytes(self) -> int:
        """Of the file's pages; the write-ahead log beside it takes up to some megabytes more."""
        return self._used_bytes

    @property
    def oldest_utc_ns(self) -> int | None:
        """When the oldest pending row was recorded, nanoseconds since 1970; None without any."""
        return self._oldest_utc_ns

    @property
    def last_row(self) -> int:
        """The newest row ever recorded here."""
        return int(self._last_row)

    def write(self, entries: Sequence[Entry | Losses], acknowledged: int) -> Written:
        """Delete acknowledged rows (at most 1000) and record as many of `entries` as there is room for, in order.

        One transaction with one fsync, and rarely a second. When it returns, the rows survive a power cut.
        """
        streams = dict(self._streams)
        recorded: list[Row] = []
        taken = lost = 0
        with in_our_words(f"The outbox {self.path}"), self._transaction():
            forgotten = self._forget(acknowledged)
            room = self._limit - self._used()
            for entry in entries:
                numbering = dict(streams)
                rows, given_up = _number(entry, numbering, self._last_row + len(recorded))
                size = sum(len(row.payload) + _ROW_OVERHEAD_BYTES for row in rows)
                if size > room and self._drops_oldest:
                    dropped_rows, dropped = self._drop_oldest(size, acknowledged)
                    forgotten += dropped_rows
                    lost += dropped
                    room = self._limit - self._used()
                if size > room + (_KEPT_FREE_BYTES if isinstance(entry, Losses) else 0):
                    break
                self._insert(rows)
                streams, room = numbering, room - size
                recorded += rows
                taken += 1
                lost += given_up
            last_row = self._last_row + len(recorded)
            pending = self._pending + len(recorded) - forgotten
            self._db.execute("UPDATE state SET last_row = ?, pending = ?", (last_row, pending))
            self._save(streams)
            self._reserve(streams)
        committed_ns = time.monotonic_ns()
        self._streams, self._last_row, self._pending = streams, last_row, pending
        with in_our_words(f"The outbox {self.path}"):
            self._used_bytes, self._oldest_utc_ns = self._used(), self._oldest()
        return Written([_receipt(row, committed_ns) for row in recorded], taken, lost, forgotten)

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the file, so that the log starts again from its beginning."""
        with in_our_words(f"The outbox {self.path}"):
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Let go of the file; what was written stays."""
        try:
            with in_our_words(f"The outbox {self.path}"):
                self._db.close()
        except OutboxError:
            # Closing moves the log into the file; where that fails the log stays, and the next start reads it.
            return

    def _forget(self, acknowledged: int) -> int:
        first = self._value("SELECT min(row) FROM rows")
        if first is None or first > acknowledged:
            return 0
        last = min(acknowledged, first + FORGET_MAX_ROWS - 1)
        return self._db.execute("DELETE FROM rows WHERE row <= ?", (last,)).rowcount

    def _drop_oldest(self, wanted_bytes: int, acknowledged: int) -> tuple[int, int]:
        """Give up the oldest rows for a gap message each stream; returns (rows fewer, messages lost).

        The gap takes the place of the *last* row given up: were it earlier, a receipt for rows that the gateway
        had read before could delete it while later ones of its range were never sent.
        """
        fewer = self._db.execute("DELETE FROM rows WHERE row <= ?", (acknowledged,)).rowcount
        freed, last_row, dropped = 0, 0, 0
        gaps: dict[str, Row] = {}
        oldest = self._db.execute(
            "SELECT row, camera, topic, stream, sequence, through, length(payload) FROM rows"
            " WHERE row <= ? ORDER BY row",
            (self._last_row,),
        )
        for row, camera, topic, stream, sequence, through, size in oldest:
            if freed >= max(wanted_bytes, self._limit // 64):
                break
            first = gaps[stream].sequence if stream in gaps else sequence
            payload = gap(stream, first, through, "outbox_full")
            gaps[stream] = Row(row, camera, GAP_TOPIC, stream, first, through, payload)
            freed += size + _ROW_OVERHEAD_BYTES
            last_row, fewer = row, fewer + 1
            dropped += topic != GAP_TOPIC
        oldest.close()
        self._db.execute("DELETE FROM rows WHERE row <= ?", (last_row,))
        self._insert(sorted(gaps.values(), key=lambda one: one.row))
        return fewer - len(gaps), dropped

    def _insert(self, rows: Sequence[Row]) -> None:
        insert(self._db, rows)

    def _save(self, streams: Mapping[tuple[str, str], _Stream]) -> None:
        for (camera, topic), stream in streams.items():
            if self._streams.get((camera, topic)) != stream:
                self._db.execute(
                    "INSERT OR REPLACE INTO streams VALUES (?, ?, ?, ?)",
                    (camera, topic, stream.stream, stream.next),
                )

    def _reserve(self, streams: Mapping[tuple[str, str], _Stream]) -> None:
        """See that the high-water file is never behind what was given out."""
        if all(one.next - 1 <= self._reserved.get(key, 0) for key, one in streams.items()):
            return
        reserved = {key: one.next - 1 + _RESERVED_AHEAD for key, one in streams.items()}
        marks = {key: highwater.Mark(one.stream, reserved[key]) for key, one in streams.items()}
        highwater.write(self._folder, highwater.HighWater(self._last_row, marks))
        self._reserved = reserved

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself rolls back some failures
                self._db.execute("ROLLBACK")
            raise

    def _used(self) -> int:
        pages: int = self._value("PRAGMA page_count") - self._value("PRAGMA freelist_count")
        return pages * self._page_bytes

    def _oldest(self) -> int | None:
        found = self._db.execute("SELECT recorded_utc_ns FROM rows ORDER BY row LIMIT 1").fetchone()
        return None if found is None else int(found[0])

    def _value(self, sql: str) -> Any:
        return self._db.execute(sql).fetchone()[0]


def connect(path: Path) -> sqlite3.Connection:
    """A connection for the writer. Raises sqlite3.Error."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # NORMAL loses the last results in a power cut
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("PRAGMA journal_size_limit = 8388608")
    except sqlite3.Error:
        db.close()
        raise
    return db


def create(path: Path, rows: Sequence[Row], last_row: int) -> None:
    """Make a new file with these rows in it, whole or not at all; the next row comes after `last_row`."""
    staging = path.with_name(f".{path.name}.new")
    with in_our_words(f"The outbox {path}"):
        staging.unlink(missing_ok=True)
        db = sqlite3.connect(staging, isolation_level=None)
        try:
            db.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL; BEGIN;" + _SCHEMA)
            insert(db, rows)
            db.execute("UPDATE state SET last_row = ?, pending = ?", (last_row, len(rows)))
            db.execute("COMMIT")
        finally:
            db.close()
        staging.rename(path)


def insert(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """One statement each: Python's lock is let go between them."""
    now = time.time_ns()
    for one in rows:
        key = (one.row, one.camera, one.topic, one.stream, one.sequence, one.through)
        db.execute(_INSERT, (*key, now, one.checksum(), one.payload))


@contextmanager
def in_our_words(what: str) -> Generator[None]:
    """Turn what SQLite and the file system raise into OutboxError's kinds.

    By text: the numeric code is there only since Python 3.11; the texts are SQLite's own constants.
    """
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "disk is full" in text:
            msg = f"{what} cannot grow: the disk is full; make room on it"
            raise DiskFull(msg) from error
        if "malformed" in text or "not a database" in text or "no such" in text:
            msg = f"{what} is damaged ({text})"
            raise OutboxDamaged(msg) from error
        msg = f"{what} cannot be used ({text}): look at the disk and at the folder's permissions"
        raise DiskFailed(msg) from error
    except OSError as error:
        if error.errno in {28, 122}:  # ENOSPC, EDQUOT
            msg = f"{what} cannot grow: the disk is full; make room on it"
            raise DiskFull(msg) from error
        msg = f"{what} cannot be used ({error.strerror}): look at the disk and at the folder's permissions"
        raise DiskFailed(msg) from error


def _number(entry: Entry | Losses, streams: dict[tuple[str, str], _Stream], last_row: int) -> tuple[list[Row], int]:
    """The rows for one entry, and how many messages are lost in them; takes their numbers out of `streams`."""
    if isinstance(entry, Losses):
        rows = [
            _gap_row(key, count, entry.reason, streams, last_row + nth)
            for nth, (key, count) in enumerate(entry.counts.items(), 1)
        ]
        return rows, sum(entry.counts.values())
    key = (entry.camera, entry.topic)
    stream = streams.get(key) or _Stream(new_stream(), 1)
    try:
        payload = numbered(entry.fields, stream.stream, stream.next)
    except (TypeError, ValueError, RecursionError):
        return [_gap_row(key, 1, "not_json", streams, last_row + 1)], 1
    if len(payload) > PAYLOAD_MAX_BYTES:
        return [_gap_row(key, 1, "too_large", streams, last_row + 1)], 1
    streams[key] = _Stream(stream.stream, stream.next + 1)
    return [Row(last_row + 1, *key, stream.stream, stream.next, stream.next, payload)], 0


def _gap_row(key: tuple[str, str], count: int, reason: str, streams: dict[tuple[str, str], _Stream], row: int) -> Row:
    stream = streams.get(key) or _Stream(new_stream(), 1)
    first, last = stream.next, stream.next + count - 1
    streams[key] = _Stream(stream.stream, last + 1)
    payload = gap(stream.stream, first, last, reason)
    return Row(row, key[0], GAP_TOPIC, stream.stream, first, last, payload)


def _receipt(row: Row, committed_ns: int) -> Recorded:
    return Recorded(row.row, row.camera, row.topic, row.stream, row.sequence, row.through, committed_ns)
