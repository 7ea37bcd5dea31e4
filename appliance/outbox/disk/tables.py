"""The tables of an outbox's file: made, brought up to date, and what the file says of itself."""

import json
import logging
import sqlite3
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from appliance.outbox.chain import link_after
from appliance.outbox.disk import marks
from appliance.outbox.disk.numbering import Stream, Streams
from appliance.outbox.errors import DiskFailed, OutboxDamaged
from appliance.outbox.faults import in_our_words
from appliance.outbox.row import Row, from_disk

_log = logging.getLogger(__name__)

FORMAT: Final = 2
"""Of the file; goes up when its tables change. 1: rows left with the acknowledgement, and there was no chain."""
PAGE_BYTES: Final = 4096
_ROW_OVERHEAD_BYTES: Final = 160
_INDEX_BYTES: Final = 80
"""Of a row in the index on stream and sequence."""

_INDEX: Final = "CREATE INDEX by_number ON rows (stream, sequence);"
_SCHEMA: Final = f"""
CREATE TABLE rows (
  row INTEGER PRIMARY KEY, camera TEXT NOT NULL, topic TEXT NOT NULL, stream TEXT NOT NULL,
  sequence INTEGER NOT NULL, through INTEGER NOT NULL, recorded_utc_ns INTEGER NOT NULL,
  checksum INTEGER NOT NULL, payload BLOB NOT NULL);
{_INDEX}
{marks.CREATE}
CREATE TABLE state (only INTEGER PRIMARY KEY CHECK (only = 1), checksum INTEGER NOT NULL, content TEXT NOT NULL);
PRAGMA user_version = {FORMAT};
"""
_INSERT: Final = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(slots=True)
class FileState:
    """What the file says of itself, with a checksum: a lower number would be used twice."""

    last_row: int = 0
    """The newest row ever recorded here."""
    acknowledged: int = 0
    """The rows up to this one are kept; those behind it wait for the broker."""
    waiting: int = 0
    waiting_bytes: int = 0
    """Of disk, at most."""
    kept: int = 0
    kept_bytes: int = 0
    streams: Streams = field(default_factory=dict)

    def copy(self) -> "FileState":
        """One that may change without this one."""
        return replace(self, streams=dict(self.streams))

    def save(self, db: sqlite3.Connection) -> None:
        """Put it into the file, with the transaction that is open."""
        listed = [(camera, topic, one.stream, one.next, one.head) for (camera, topic), one in self.streams.items()]
        content = json.dumps(
            {
                "last_row": self.last_row,
                "acknowledged": self.acknowledged,
                "waiting": self.waiting,
                "waiting_bytes": self.waiting_bytes,
                "kept": self.kept,
                "kept_bytes": self.kept_bytes,
                "streams": listed,
            }
        )
        db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?)", (zlib.crc32(content.encode()), content))


def load(db: sqlite3.Connection, path: Path) -> FileState:
    """What the file at `path` says of itself. Raises OutboxDamaged, sqlite3.Error."""
    content = _content(db, path)
    streams = {(camera, topic): Stream(stream, n, head) for camera, topic, stream, n, head in content.pop("streams")}
    return FileState(**content, streams=streams)


def acknowledged_in(path: Path | None) -> int:
    """The last row that the broker had as far as the file knows; 0 where it does not say. Milliseconds."""
    if path is None:
        return 0
    try:
        db = sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True, timeout=1.0)
        try:
            return int(_content(db, path).get("acknowledged", 0))
        finally:
            db.close()
    except (sqlite3.Error, OutboxDamaged):
        return 0


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
            db.execute("PRAGMA wal_autocheckpoint = 250")  # the ballast must have room for all that is in the log
        except sqlite3.Error:
            db.close()
            raise
    if mode != "wal":
        db.close()
        msg = f"The outbox {path} is on a file system without shared memory: put it on a local disk"
        raise DiskFailed(msg)
    return db


def create(path: Path, rows: Iterable[tuple[Row, int]], last_row: int, acknowledged: int = 0) -> int:
    """Make a new file with these rows in it, whole or not at all; returns how many they were.

    With each row comes when it was recorded, nanoseconds since 1970. The next row will come after `last_row` and
    after all of `rows`; those up to `acknowledged` are kept, the others wait.
    """
    staging = path.with_name(f".{path.name}.new")
    count = 0
    with in_our_words(f"The outbox {path}"):
        staging.unlink(missing_ok=True)
        db = sqlite3.connect(staging, isolation_level=None)
        try:
            db.executescript(
                f"PRAGMA page_size = {PAGE_BYTES}; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL; BEGIN;"
                + _SCHEMA
            )
            for row, recorded_utc_ns in rows:
                insert(db, [row], recorded_utc_ns)
                count += 1
                last_row = max(last_row, row.row)
            _count_again(db, FileState(last_row, acknowledged)).save(db)
            marks.derive(db)
            db.execute("COMMIT")
        finally:
            db.close()
        staging.rename(path)
    return count


def update(db: sqlite3.Connection, path: Path) -> None:
    """Bring a file of an older format up to date, in one transaction; reads all of it. Raises DiskFailed too."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == FORMAT:
        return
    if version > FORMAT:
        msg = f"The outbox {path} is of a newer appliance (format {version}): install that one again"
        raise DiskFailed(msg)
    begin_ns = time.monotonic_ns()
    found = _content(db, path)
    streams = {
        (camera, topic): Stream(stream, following, _head(db, stream, following))
        for camera, topic, stream, following in found["streams"]
    }
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(_INDEX)
        db.execute(marks.CREATE)
        marks.derive(db)
        state = _count_again(db, FileState(found["last_row"], streams=streams))
        state.save(db)
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    seconds = (time.monotonic_ns() - begin_ns) / 1e9
    _log.info("the outbox %s is of format %d now, with its %d rows (%.1f s)", path, FORMAT, state.waiting, seconds)


def insert(db: sqlite3.Connection, rows: Sequence[Row], recorded_utc_ns: int) -> None:
    """Python's lock is let go at each row."""
    db.executemany(_INSERT, [_columns(one, recorded_utc_ns) for one in rows])


def read(db: sqlite3.Connection, behind: int, most: int) -> dict[int, Row | None]:
    """Rows behind row `behind`, in order; None for one that is not what was written."""
    found = db.execute(
        "SELECT row, camera, topic, stream, sequence, through, payload, checksum FROM rows"
        " WHERE row > ? ORDER BY row LIMIT ?",
        (behind, most),
    )
    return {one[0]: from_disk(one) for one in found}


def room_for(payload_bytes: int) -> int:
    """What a row takes at most: SQLite puts whole rows on a page, and long ones on pages of their own."""
    row_bytes = payload_bytes + _ROW_OVERHEAD_BYTES
    if row_bytes > PAGE_BYTES:
        return PAGE_BYTES * (1 + -(-row_bytes // PAGE_BYTES)) + _INDEX_BYTES
    return PAGE_BYTES // (PAGE_BYTES // row_bytes) + _INDEX_BYTES


def _columns(one: Row, utc_ns: int) -> tuple[Any, ...]:
    key = (one.row, one.camera, one.topic, one.stream, one.sequence, one.through)
    return (*key, utc_ns, one.checksum(), one.payload)


def _content(db: sqlite3.Connection, path: Path) -> dict[str, Any]:
    found = db.execute("SELECT checksum, content FROM state").fetchone()
    if found is None or found[0] != zlib.crc32(found[1].encode()):
        msg = f"The outbox {path} is damaged (what it says of itself is not what was written)"
        raise OutboxDamaged(msg)
    content: dict[str, Any] = json.loads(found[1])
    return content


def _head(db: sqlite3.Connection, stream: str, following: int) -> str | None:
    """The link behind the stream's newest record, where that is still there."""
    newest = "SELECT payload FROM rows WHERE stream = ? AND through = ? ORDER BY row DESC LIMIT 1"
    found = db.execute(newest, (stream, following - 1)).fetchone()
    return None if found is None or not isinstance(found[0], bytes) else link_after(found[0])


def _count_again(db: sqlite3.Connection, state: FileState) -> FileState:
    for row, size in db.execute("SELECT row, length(payload) FROM rows"):
        if row <= state.acknowledged:
            state.kept += 1
            state.kept_bytes += room_for(size)
        else:
            state.waiting += 1
            state.waiting_bytes += room_for(size)
    return state
