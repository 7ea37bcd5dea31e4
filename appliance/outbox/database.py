"""The file in which rows wait: one transaction at a time, on the disk when it returns.

Files in the folder: `results-N.db` (the highest N is the one in use), `highwater.json`. Both are written here and
nowhere else; other processes only read them.
"""

import json
import logging
import sqlite3
import time
import zlib
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from appliance.outbox import highwater
from appliance.outbox.errors import DiskFailed, OutboxDamaged, OutboxError
from appliance.outbox.faults import in_our_words
from appliance.outbox.numbering import Entry, Losses, Stream, Streams, rows_for
from appliance.outbox.row import GAP_TOPIC, Recorded, Row, gap

_log = logging.getLogger(__name__)

FORMAT: Final = 1
"""Of the file; goes up when its tables change."""

_SCHEMA: Final = """
CREATE TABLE rows (
  row INTEGER PRIMARY KEY, camera TEXT NOT NULL, topic TEXT NOT NULL, stream TEXT NOT NULL,
  sequence INTEGER NOT NULL, through INTEGER NOT NULL, recorded_utc_ns INTEGER NOT NULL,
  checksum INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE state (only INTEGER PRIMARY KEY CHECK (only = 1), checksum INTEGER NOT NULL, content TEXT NOT NULL);
PRAGMA user_version = 1;
"""
_INSERT: Final = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

FORGET_MAX_ROWS: Final = 1000
"""Deleted in one transaction: a long backlog that was acknowledged must not hold up the next part."""
_RESERVED_AHEAD: Final = 100
"""Numbers set aside at once in the high-water file: one more fsync for so many results."""
_PAGE_BYTES: Final = 4096
_ROW_OVERHEAD_BYTES: Final = 160
_KEPT_FREE_BYTES: Final = 262_144
"""Of the outbox's limit, for gap messages and for the tables' own pages."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much disk the rows may take, and what then."""

    max_bytes: int
    drop_oldest: bool
    """Give up the oldest rows; otherwise take no more."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one transaction did."""

    recorded: list[Recorded]
    taken: int
    """So many of the entries, from the front, are dealt with."""
    lost: int
    """Messages given up in it, named in gap messages; `Losses` among the entries were counted before."""
    removed: int
    """Rows fewer: acknowledged, or given up."""


@dataclass(slots=True)
class _Work:
    """A transaction in the making."""

    streams: Streams
    last_row: int
    rows: list[Row] = field(default_factory=list)
    taken: int = 0
    lost: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class _Status:
    pending: int
    used_bytes: int
    oldest_row: int | None
    oldest_utc_ns: int | None


class Database:
    """Used by one thread at a time. Every method raises OutboxError's kinds and leaves whole rows behind."""

    def __init__(self, folder: Path, path: Path, limits: Limits) -> None:
        """Open the existing file at `path`; see `opening.open_database` for what goes before."""
        self._folder = folder
        self.path: Final = path
        self._limit = limits.max_bytes - _KEPT_FREE_BYTES
        self._drops_oldest = limits.drop_oldest
        self._reserved: dict[tuple[str, str], int] = {}
        self._db = connect(path)
        try:
            self._begin(limits)
        except OutboxError:
            self._db.close()
            raise

    @property
    def pending(self) -> int:
        """Rows that the broker has not acknowledged, or that are not deleted yet."""
        return self._status.pending

    @property
    def used_bytes(self) -> int:
        """Of the file's pages; the write-ahead log beside it takes up to some megabytes more."""
        return self._status.used_bytes

    @property
    def oldest_utc_ns(self) -> int | None:
        """When the oldest pending row was recorded, nanoseconds since 1970; None without any."""
        return self._status.oldest_utc_ns

    @property
    def last_row(self) -> int:
        """The newest row ever recorded here."""
        return self._last_row

    def check(self, limit_s: float) -> bool:
        """Look through the file for damage; False where `limit_s` seconds were not enough. Raises OutboxDamaged."""
        end_ns = time.monotonic_ns() + int(limit_s * 1e9)
        with in_our_words(f"The outbox {self.path}"):
            self._db.set_progress_handler(lambda: time.monotonic_ns() > end_ns, 100_000)
            try:
                found = self._value("PRAGMA quick_check(1)")
            except sqlite3.OperationalError as error:
                if "interrupted" in str(error):
                    return False
                raise
            finally:
                self._db.set_progress_handler(None, 0)
        if found != "ok":
            msg = f"The outbox {self.path} is damaged ({found})"
            raise OutboxDamaged(msg)
        return True

    def can_forget(self, acknowledged: int) -> bool:
        """Whether there are rows that the broker has."""
        return self._status.oldest_row is not None and self._status.oldest_row <= acknowledged

    def write(self, entries: Sequence[Entry | Losses], acknowledged: int) -> Written:
        """Delete acknowledged rows (at most 1000) and record as many of `entries` as there is room for, in order.

        One transaction with one fsync, and rarely a second. When it returns, the rows survive a power cut.
        """
        work = _Work(dict(self._streams), self._last_row)
        with in_our_words(f"The outbox {self.path}"), self._transaction():
            work.removed = self._forget(acknowledged)
            room = self._limit - self._used()
            for entry in entries:
                streams = dict(work.streams)
                rows, unfit = rows_for(entry, streams, work.last_row)
                size = sum(_room_for(len(row.payload)) for row in rows)
                if size > room and self._drops_oldest:
                    self._drop_oldest(work, size, acknowledged)
                    room = self._limit - self._used()
                if size > room + (_KEPT_FREE_BYTES if isinstance(entry, Losses) else 0):
                    break
                insert(self._db, rows)
                room -= size
                work.streams = streams
                work.rows += rows
                work.last_row += len(rows)
                work.lost += unfit
                work.taken += 1
            status = self._settle(work)
        return self._finished(work, status)

    def make_room(self, acknowledged: int) -> Written:
        """Delete what may go, so that the file takes new rows without growing.

        Acknowledged rows, and where the limits allow to drop them the oldest ones too.
        """
        work = _Work(dict(self._streams), self._last_row)
        with in_our_words(f"The outbox {self.path}"), self._transaction():
            work.removed = self._forget(acknowledged)
            if self._drops_oldest and not work.removed:
                self._drop_oldest(work, 0, acknowledged)
            status = self._settle(work)
        return self._finished(work, status)

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the file, so that the log starts again from its beginning."""
        with in_our_words(f"The outbox {self.path}"):
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def next_number(self, stream: str) -> int | None:
        """What the next message of `stream` will get; None where that stream has ended."""
        return next((one.next for one in self._streams.values() if one.stream == stream), None)

    def close(self) -> None:
        """Let go of the file, and write down that it was closed in order; what was written stays."""
        try:
            with in_our_words(f"The outbox {self.path}"):
                if self._reserved:
                    self._write_high_water(self._streams, ahead=0, in_use=None)
                self._db.close()
        except OutboxError as error:
            # The log stays beside the file where it could not be moved into it; the next start reads it.
            _log.warning("closing: %s", error)

    def _begin(self, limits: Limits) -> None:
        with in_our_words(f"The outbox {self.path}"):
            version = self._value("PRAGMA user_version")
            if version > FORMAT:
                msg = f"The outbox {self.path} is of a newer appliance (format {version}): install that one again"
                raise DiskFailed(msg)
            self._db.execute(f"PRAGMA max_page_count = {limits.max_bytes // _PAGE_BYTES + 64}")
            found = self._db.execute("SELECT checksum, content FROM state").fetchone()
            newest_row = self._value("SELECT max(row) FROM rows") or 0
            used, oldest = self._used(), self._oldest()
        if found is None or found[0] != zlib.crc32(found[1].encode()):
            msg = f"The outbox {self.path} is damaged (what it says of itself is not what was written)"
            raise OutboxDamaged(msg)
        state = json.loads(found[1])
        self._last_row: int = state["last_row"]
        if newest_row > self._last_row:
            msg = f"The outbox {self.path} is damaged (it has rows that were never written)"
            raise OutboxDamaged(msg)
        self._streams = {(camera, topic): Stream(stream, n) for camera, topic, stream, n in state["streams"]}
        self._status = _Status(state["pending"], used, *oldest)

    def _forget(self, acknowledged: int) -> int:
        if not self.can_forget(acknowledged):
            return 0
        last = min(acknowledged, (self._status.oldest_row or 0) + FORGET_MAX_ROWS - 1)
        return self._db.execute("DELETE FROM rows WHERE row <= ?", (last,)).rowcount

    def _drop_oldest(self, work: _Work, wanted_bytes: int, acknowledged: int) -> None:
        """Give up the oldest rows for one gap message a stream.

        The gap takes the place of the *last* row given up: were it earlier, a receipt for rows that the gateway
        had read before could delete it while later ones of its range were never sent.
        """
        work.removed += self._db.execute("DELETE FROM rows WHERE row <= ?", (acknowledged,)).rowcount
        freed, last_row = 0, 0
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
            freed += _room_for(size)
            last_row = row
            work.lost += topic != GAP_TOPIC
        oldest.close()
        work.removed += self._db.execute("DELETE FROM rows WHERE row <= ?", (last_row,)).rowcount
        work.removed -= len(gaps)
        insert(self._db, sorted(gaps.values(), key=lambda one: one.row))

    def _settle(self, work: _Work) -> _Status:
        """The last of a transaction. What the commit could not survive is asked before it, not after."""
        pending = self._status.pending + len(work.rows) - work.removed
        save_state(self._db, work.last_row, pending, work.streams)
        self._reserve(work.streams)
        return _Status(pending, self._used(), *self._oldest())

    def _finished(self, work: _Work, status: _Status) -> Written:
        committed_ns = time.monotonic_ns()
        self._streams, self._last_row, self._status = work.streams, work.last_row, status
        return Written([_receipt(row, committed_ns) for row in work.rows], work.taken, work.lost, work.removed)

    def _reserve(self, streams: Streams) -> None:
        """See that the high-water file is never behind what was given out."""
        if all(one.next - 1 <= self._reserved.get(key, 0) for key, one in streams.items()):
            return
        self._reserved = self._write_high_water(streams, ahead=_RESERVED_AHEAD, in_use=self.path.name)

    def _write_high_water(self, streams: Streams, *, ahead: int, in_use: str | None) -> dict[tuple[str, str], int]:
        reserved = {key: one.next - 1 + ahead for key, one in streams.items()}
        marks = {key: highwater.Mark(one.stream, reserved[key]) for key, one in streams.items()}
        highwater.write(self._folder, highwater.HighWater(self._last_row, marks, in_use))
        return reserved

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
        return pages * _PAGE_BYTES

    def _oldest(self) -> tuple[int | None, int | None]:
        found = self._db.execute("SELECT row, recorded_utc_ns FROM rows ORDER BY row LIMIT 1").fetchone()
        return (None, None) if found is None else (int(found[0]), int(found[1]))

    def _value(self, sql: str) -> Any:
        return self._db.execute(sql).fetchone()[0]


def connect(path: Path) -> sqlite3.Connection:
    """A connection for the writer. Raises DiskFull, DiskFailed, OutboxDamaged."""
    with in_our_words(f"The outbox {path}"):
        uri = path.resolve().as_uri() + "?mode=rw"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=1.0)
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            db.execute("PRAGMA synchronous = FULL")  # NORMAL loses the last results in a power cut
            db.execute("PRAGMA secure_delete = OFF")
            db.execute("PRAGMA journal_size_limit = 8388608")
        except sqlite3.Error:
            db.close()
            raise
    if mode != "wal":
        db.close()
        msg = f"The outbox {path} is on a file system without shared memory: put it on a local disk"
        raise DiskFailed(msg)
    return db


def create(path: Path, rows: Iterable[Row], last_row: int) -> int:
    """Make a new file with these rows in it, whole or not at all; returns how many they were.

    The next row will come after `last_row` and after all of `rows`.
    """
    staging = path.with_name(f".{path.name}.new")
    count = 0
    with in_our_words(f"The outbox {path}"):
        staging.unlink(missing_ok=True)
        db = sqlite3.connect(staging, isolation_level=None)
        try:
            db.executescript(
                f"PRAGMA page_size = {_PAGE_BYTES}; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL; BEGIN;"
                + _SCHEMA
            )
            for row in rows:
                insert(db, [row])
                count += 1
                last_row = max(last_row, row.row)
            save_state(db, last_row, count, {})
            db.execute("COMMIT")
        finally:
            db.close()
        staging.rename(path)
    return count


def insert(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """One statement each: Python's lock is let go between them."""
    now = time.time_ns()
    for one in rows:
        key = (one.row, one.camera, one.topic, one.stream, one.sequence, one.through)
        db.execute(_INSERT, (*key, now, one.checksum(), one.payload))


def save_state(db: sqlite3.Connection, last_row: int, pending: int, streams: Streams) -> None:
    """What must be right even if the disk is not: with a checksum, for a lower number would be used twice."""
    listed = [(camera, topic, one.stream, one.next) for (camera, topic), one in streams.items()]
    content = json.dumps({"last_row": last_row, "pending": pending, "streams": listed})
    db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?)", (zlib.crc32(content.encode()), content))


def _room_for(payload_bytes: int) -> int:
    """What a row takes at most: SQLite puts whole rows on a page, and long ones on pages of their own."""
    row_bytes = payload_bytes + _ROW_OVERHEAD_BYTES
    if row_bytes > _PAGE_BYTES:
        return _PAGE_BYTES * (1 + -(-row_bytes // _PAGE_BYTES))
    return _PAGE_BYTES // (_PAGE_BYTES // row_bytes)


def _receipt(row: Row, committed_ns: int) -> Recorded:
    return Recorded(row.row, row.camera, row.topic, row.stream, row.sequence, row.through, committed_ns)
