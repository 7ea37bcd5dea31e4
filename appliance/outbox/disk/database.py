"""The file in which rows wait, and stay for some days: one transaction at a time, on the disk when it returns.

Files in the folder: `results-N.db` (the highest N is the one in use), `highwater.json`. Both are written here and
nowhere else; other processes only read them.
"""

import logging
import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from appliance.outbox.disk import highwater, marks, tables
from appliance.outbox.disk.amounts import Limits, Stored, Written
from appliance.outbox.disk.giving_way import delete_oldest, drop_oldest
from appliance.outbox.disk.numbering import Entry, Losses, rows_for
from appliance.outbox.disk.retention import Clock, Retention
from appliance.outbox.disk.tables import FileState
from appliance.outbox.errors import OutboxDamaged, OutboxError
from appliance.outbox.faults import in_our_words
from appliance.outbox.row import Recorded, Row

_log = logging.getLogger(__name__)

PORTION_ROWS: Final = 1000
"""Acknowledged rows dealt with in one transaction: a long backlog must not hold up the next part."""
_MORE_THAN_NEW_ROWS: Final = 50
"""Kept rows deleted beside new ones that are recorded, in excess of these, so that room is never short for long."""
_PORTIONS_MAX: Final = 8
_RESERVED_AHEAD: Final = 100
"""Numbers set aside at once in the high-water file: two more fsyncs for so many results."""
_RESERVED_AHEAD_OF_MANY: Final = 1000
_MANY_ROWS: Final = 100
_KEPT_FREE_BYTES: Final = 262_144
"""Of the outbox's limit, for gap messages and for the tables' own pages."""
_SPARE_BYTES: Final = 2 * 1024**2
"""Kept rows give way before a part has to wait for it."""
_CHECKED_WHOLE_BYTES: Final = 32 * 1024**2
"""A larger file is looked through where it matters, as long as there is time: SQLite's own check cannot be hurried."""
_CHECK_BLOCK_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class _Look:
    """What a transaction leaves behind."""

    stored: Stored
    first_row: int | None
    first_waiting: int | None


@dataclass(slots=True)
class _Work:
    """A transaction in the making."""

    state: FileState
    portion: int
    minute: int | None
    rows: list[Row] = field(default_factory=list)
    taken: int = 0
    lost: int = 0
    removed: int = 0
    unheard: int = 0
    new_bytes: int = 0
    """Of `rows`, which are put into the file together at the end."""
    portions: int = _PORTIONS_MAX
    """Of kept rows that may still be deleted for room."""


class Database:
    """Used by one thread at a time. Every method raises OutboxError's kinds and leaves whole rows behind."""

    def __init__(self, folder: Path, path: Path, limits: Limits, clock: Clock | None = None) -> None:
        """Open the existing file at `path`; see `opening.open_database` for what goes before.

        A file of an older format is brought up to date; that reads all of it.
        """
        self._folder = folder
        self.path: Final = path
        self._limit = limits.max_bytes - _KEPT_FREE_BYTES
        self._spare = min(_SPARE_BYTES, self._limit // 16)
        self._drops_oldest = limits.drop_oldest
        self._clock = clock or Clock()
        self._reserved: dict[tuple[str, str], int] = {}
        self.unconfirmed: int | None = None
        """Rows from this one on do not go for their age: a named consumer has not confirmed them."""
        self._old_through = 0
        self._next_minute = -(2**62)
        self._db = tables.connect(path)
        try:
            self._begin(limits)
        except OutboxError:
            self._db.close()
            raise

    @property
    def stored(self) -> Stored:
        """How much there is."""
        return self._found.stored

    @property
    def pending(self) -> int:
        """Rows that the broker has not acknowledged, or whose receipt is not written down yet."""
        return self._found.stored.waiting

    @property
    def used_bytes(self) -> int:
        """Of the file's pages; the write-ahead log beside it takes up to some megabytes more."""
        return self._found.stored.used_bytes

    @property
    def last_row(self) -> int:
        """The newest row ever recorded here."""
        return self._state.last_row

    @property
    def acknowledged(self) -> int:
        """The last row that the broker has, as far as it was written down here."""
        return self._state.acknowledged

    def check(self, limit_s: float) -> bool:
        """Look for damage; False where `limit_s` seconds were not enough. Raises OutboxDamaged.

        A small file is looked through by SQLite, all of it; of a larger one the rows that wait are read.
        """
        end_ns = time.monotonic_ns() + int(limit_s * 1e9)
        with in_our_words(f"The outbox {self.path}"):
            if self._value("PRAGMA page_count") * tables.PAGE_BYTES > _CHECKED_WHOLE_BYTES:
                return self._check_waiting(end_ns)
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

    def has_more(self, acknowledged: int) -> bool:
        """Whether there is something to write down or to delete, also without new messages. Microseconds."""
        if self._found.first_waiting is not None and self._found.first_waiting <= acknowledged:
            return True
        if not self._found.stored.kept:
            return False
        if self._limit - self._found.stored.used_bytes < self._spare:
            return True
        return self._found.first_row is not None and self._found.first_row <= self._too_old_through()

    def write(self, entries: Sequence[Entry | Losses], acknowledged: int) -> Written:
        """Record as many of `entries` as there is room for, in order; write down receipts, delete what is too old.

        One transaction with one fsync, and rarely a second. When it returns, the rows survive a power cut.
        """
        work = self._new_work(len(entries) + _MORE_THAN_NEW_ROWS if entries else PORTION_ROWS)
        with in_our_words(f"The outbox {self.path}"), self._transaction():
            self._tidy(work, acknowledged)
            room = self._limit - self._used()
            for entry in entries:
                streams = dict(work.state.streams)
                rows, unfit = rows_for(entry, streams, work.state.last_row)
                size = sum(tables.room_for(len(row.payload)) for row in rows)
                if size > room:
                    room = self._give_way(work, size, acknowledged)
                if size > room + (_KEPT_FREE_BYTES if isinstance(entry, Losses) else 0):
                    break
                room -= size
                work.new_bytes += size
                work.state.streams = streams
                work.state.last_row += len(rows)
                work.state.waiting += len(rows)
                work.state.waiting_bytes += size
                work.rows += rows
                work.lost += unfit
                work.taken += 1
            look = self._settle(work)
        return self._finished(work, look, acknowledged)

    def make_room(self, acknowledged: int) -> Written:
        """Delete what may go, so that the file takes new rows without growing.

        Kept rows, and where the limits allow to drop waiting ones the oldest of them too.
        """
        work = self._new_work(PORTION_ROWS)
        with in_our_words(f"The outbox {self.path}"), self._transaction():
            self._note_receipts(work, acknowledged)
            if not self._delete_kept(work, work.state.acknowledged) and self._drops_oldest:
                self._drop_oldest(work, 0)
            look = self._settle(work)
        return self._finished(work, look, acknowledged)

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the file, so that the log starts again from its beginning."""
        with in_our_words(f"The outbox {self.path}"):
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def next_number(self, stream: str) -> int | None:
        """What the next message of `stream` will get; None where that stream has ended."""
        return next((one.next for one in self._state.streams.values() if one.stream == stream), None)

    def close(self) -> None:
        """Let go of the file, and write down that it was closed in order; what was written stays."""
        try:
            with in_our_words(f"The outbox {self.path}"):
                if self._reserved:
                    self._write_high_water(self._state, ahead=0, in_use=None)
                self._db.close()
        except OutboxError as error:
            # The log stays beside the file where it could not be moved into it; the next start reads it.
            _log.warning("closing: %s", error)

    def _begin(self, limits: Limits) -> None:
        with in_our_words(f"The outbox {self.path}"):
            tables.update(self._db, self.path)
            self._db.execute(f"PRAGMA max_page_count = {limits.max_bytes // tables.PAGE_BYTES + 64}")
            self._state = tables.load(self._db, self.path)
            newest = self._db.execute("SELECT row, recorded_utc_ns FROM rows ORDER BY row DESC LIMIT 1").fetchone()
            self._minute = marks.newest(self._db)
            self._found = self._look(self._state)
            self._ended = self._streams_that_ended()
        if newest is not None and newest[0] > self._state.last_row:
            msg = f"The outbox {self.path} is damaged (it has rows that were never written)"
            raise OutboxDamaged(msg)
        self._retention = Retention(limits.keep_days, None if newest is None else newest[1], self._clock)

    def _streams_that_ended(self) -> dict[str, tuple[str, int]]:
        high = highwater.read(self._folder)
        if high is None:
            return {}
        running = {one.stream for one in self._state.streams.values()}
        marked = {mark.stream: (key[0], mark.reserved) for key, mark in high.marks.items()}
        return {stream: end for stream, end in {**high.ended, **marked}.items() if stream not in running}

    def _check_waiting(self, end_ns: int) -> bool:
        row = self._state.acknowledged
        while row < self._state.last_row:
            if time.monotonic_ns() > end_ns:
                return False
            found = tables.read(self._db, row, _CHECK_BLOCK_ROWS)
            if not found:
                return True
            if None in found.values():
                msg = f"The outbox {self.path} is damaged (a row's checksum is wrong)"
                raise OutboxDamaged(msg)
            row = max(found)
        return True

    def _new_work(self, portion: int) -> _Work:
        portion = PORTION_ROWS if self._retention.keeps_nothing else portion
        return _Work(self._state.copy(), portion, self._minute)

    def _too_old_through(self) -> int:
        """The last row that may go for its age."""
        most = self._state.acknowledged if self.unconfirmed is None else self.unconfirmed - 1
        if self._retention.keeps_nothing:
            return min(self._state.acknowledged, most)
        cutoff_ns = self._retention.cutoff_ns()
        if cutoff_ns is None:
            return 0
        if cutoff_ns // marks.MINUTE_NS > self._next_minute:
            with in_our_words(f"The outbox {self.path}"):
                old = marks.old(self._db, cutoff_ns, self._clock.utc_ns(), self._state.last_row)
            self._old_through, self._next_minute = old.through, old.next_minute
        return min(self._old_through, self._state.acknowledged, most)

    def _tidy(self, work: _Work, acknowledged: int) -> None:
        self._note_receipts(work, acknowledged)
        if self._retention.keeps_nothing and self.unconfirmed is None:
            self._delete_kept(work, work.state.acknowledged)
            return
        too_old = self._too_old_through()
        if self._found.first_row is not None and self._found.first_row <= too_old:
            self._delete_kept(work, too_old)
        elif self._limit - self._found.stored.used_bytes < self._spare:
            self._delete_kept(work, work.state.acknowledged)

    def _note_receipts(self, work: _Work, acknowledged: int) -> bool:
        """Waiting rows become kept ones, at most a portion of them; False where there was none."""
        state = work.state
        upto = min(acknowledged, state.last_row)
        if upto <= state.acknowledged:
            return False
        found = self._db.execute(
            "SELECT row, length(payload) FROM rows WHERE row > ? AND row <= ? ORDER BY row LIMIT ?",
            (state.acknowledged, upto, PORTION_ROWS),
        ).fetchall()
        size = sum(tables.room_for(payload) for _, payload in found)
        state.waiting -= len(found)
        state.waiting_bytes -= size
        state.kept += len(found)
        state.kept_bytes += size
        state.acknowledged = upto if len(found) < PORTION_ROWS else found[-1][0]
        return bool(found)

    def _delete_kept(self, work: _Work, through: int) -> bool:
        deleted = delete_oldest(self._db, through, work.portion)
        work.state.kept -= deleted.rows
        work.state.kept_bytes -= deleted.bytes
        work.removed += deleted.rows
        if deleted.rows and self.unconfirmed is not None:
            work.unheard += max(0, min(deleted.rows, deleted.last_row - self.unconfirmed + 1))
        return deleted.rows > 0

    def _give_way(self, work: _Work, size: int, acknowledged: int) -> int:
        """Kept rows go for a new one of `size` bytes, then waiting ones where that is allowed; the room there is."""
        limit = self._limit - work.new_bytes
        while (room := limit - self._used()) < size:
            if work.portions <= 0 and work.state.kept:
                return size  # the limit was lowered: the file comes down to it little by little
            work.portions -= 1
            if not self._delete_kept(work, work.state.acknowledged) and not self._note_receipts(work, acknowledged):
                if self._drops_oldest:
                    self._drop_oldest(work, size)
                return limit - self._used()
        return room

    def _drop_oldest(self, work: _Work, wanted_bytes: int) -> None:
        dropped = drop_oldest(self._db, self._state.last_row, max(wanted_bytes, self._limit // 64))
        work.state.waiting -= dropped.rows
        work.state.waiting_bytes -= dropped.bytes
        work.removed += dropped.rows
        work.lost += dropped.results

    def _settle(self, work: _Work) -> _Look:
        """The last of a transaction. What the commit could not survive is asked before it, not after."""
        if work.rows:
            utc_ns = self._clock.utc_ns()
            tables.insert(self._db, work.rows, utc_ns)
            work.minute = marks.note(self._db, work.rows[0].row, utc_ns, work.minute)
        if work.removed:
            marks.prune(self._db)
        work.state.save(self._db)
        self._reserve(work.state, _RESERVED_AHEAD_OF_MANY if len(work.rows) > _MANY_ROWS else _RESERVED_AHEAD)
        return self._look(work.state)

    def _look(self, state: FileState) -> _Look:
        first_row, oldest_ns = self._first_behind(0)
        first_waiting, oldest_waiting_ns = self._first_behind(state.acknowledged) if state.waiting else (None, None)
        oldest_kept_ns = oldest_ns if state.kept else None
        amounts = (state.waiting, state.waiting_bytes, state.kept, state.kept_bytes, self._used())
        return _Look(Stored(*amounts, oldest_waiting_ns, oldest_kept_ns), first_row, first_waiting)

    def _finished(self, work: _Work, look: _Look, acknowledged: int) -> Written:
        committed_ns = time.monotonic_ns()
        self._state, self._minute, self._found = work.state, work.minute, look
        return Written(
            [_receipt(row, committed_ns) for row in work.rows],
            work.taken,
            work.lost,
            work.removed,
            self.has_more(acknowledged),
            work.unheard,
        )

    def _reserve(self, state: FileState, ahead: int) -> None:
        """See that the high-water file is never behind what was given out."""
        if all(one.next - 1 <= self._reserved.get(key, 0) for key, one in state.streams.items()):
            return
        self._reserved = self._write_high_water(state, ahead=ahead, in_use=self.path.name)

    def _write_high_water(self, state: FileState, *, ahead: int, in_use: str | None) -> dict[tuple[str, str], int]:
        reserved = {key: one.next - 1 + ahead for key, one in state.streams.items()}
        marked = {key: highwater.Mark(one.stream, reserved[key]) for key, one in state.streams.items()}
        highwater.write(self._folder, highwater.HighWater(self.last_row, marked, in_use, self._ended))
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
        return pages * tables.PAGE_BYTES

    def _first_behind(self, row: int) -> tuple[int | None, int | None]:
        """The first row after `row`, and when it was recorded."""
        select = "SELECT row, recorded_utc_ns FROM rows WHERE row > ? ORDER BY row LIMIT 1"
        found = self._db.execute(select, (row,)).fetchone()
        return (None, None) if found is None else (int(found[0]), int(found[1]))

    def _value(self, sql: str) -> Any:
        return self._db.execute(sql).fetchone()[0]


def _receipt(row: Row, committed_ns: int) -> Recorded:
    return Recorded(row.row, row.camera, row.topic, row.stream, row.sequence, row.through, committed_ns)
