"""What the outbox still has, read by whoever asks: results that wait, and those that the broker has and that are kept.

Never a change to the file, in any process, on a running box as on a stopped one.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.outbox import watermark
from appliance.outbox.chain import Head
from appliance.outbox.disk import marks, tables
from appliance.outbox.errors import DiskFailed
from appliance.outbox.faults import in_our_words
from appliance.outbox.files import current
from appliance.outbox.row import Row, from_disk

_SELECT: Final = "SELECT row, camera, topic, stream, sequence, through, payload, checksum, recorded_utc_ns FROM rows"
_ROW_MAX: Final = 2**62
_STRETCH_ROWS: Final = 10_000
_NARROW: Final = 50_000
"""So many numbers of a stream are looked up by their index; of more, the file is read from one end to the other."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One message as it was recorded."""

    row: Row
    recorded_utc_ns: int
    """Wall clock when it was written, nanoseconds since 1970."""


@dataclass(frozen=True, slots=True)
class StreamSpan:
    """What there is of one life of one camera's messages."""

    camera: str
    stream: str
    first: int
    last: int
    rows: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What the folder holds at one moment."""

    waiting: int
    """Rows that the broker has not acknowledged."""
    waiting_bytes: int
    kept: int
    """Rows that it has, and that are kept for replay."""
    kept_bytes: int
    oldest_waiting_utc_ns: int | None
    oldest_kept_utc_ns: int | None
    newest_row: int
    acknowledged: int
    """The broker has every row up to this one, as far as the gateway has written it down."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages are asked for; None: no limit. All bounds are inclusive."""

    camera: str | None = None
    topic: str | None = None
    """`result` or `gap`."""
    stream: str | None = None
    from_sequence: int | None = None
    to_sequence: int | None = None
    since_utc_ns: int | None = None
    until_utc_ns: int | None = None
    """Of the moment of recording."""


class History:
    """One thread. Follows the writer to a new file where the old one was damaged."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened before the first question."""
        self._folder = folder
        self._path: Path | None = None
        self._db: sqlite3.Connection | None = None
        self._damaged = 0

    def rows(self, selection: Selection, *, after_row: int = 0, limit: int = 1000) -> list[Kept]:
        """At most `limit` messages behind row `after_row`, in the order of recording; empty where there are no more.

        Short read transactions, found by an index for `stream` with numbers, and for a span of time. Rows that are
        not what was written are left out and counted in `damaged`. Raises: DiskFailed, OutboxDamaged.
        """
        with self._in_our_words():
            db = self._connection()
            return [] if db is None else self._rows(db, selection, after_row, limit)

    def every(self, selection: Selection) -> Iterator[Kept]:
        """All of them, in portions, so that the writer is never held up. Raises as rows()."""
        row = 0
        while portion := self.rows(selection, after_row=row):
            yield from portion
            row = portion[-1].row.row

    def streams(self) -> list[StreamSpan]:
        """Every stream that has rows here, oldest first; a second for some million rows. Raises as rows()."""
        spans: list[tuple[int, StreamSpan]] = []
        with self._in_our_words():
            db = self._connection()
            if db is None:
                return []
            select = "SELECT {} FROM rows WHERE stream = ? ORDER BY sequence {} LIMIT 1"
            stream = ""
            while stream := db.execute("SELECT min(stream) FROM rows WHERE stream > ?", (stream,)).fetchone()[0] or "":
                row, camera, first = db.execute(select.format("row, camera, sequence", ""), (stream,)).fetchone()
                last = db.execute(select.format("through", "DESC"), (stream,)).fetchone()[0]
                count = db.execute("SELECT count(*) FROM rows WHERE stream = ?", (stream,)).fetchone()[0]
                spans.append((row, StreamSpan(camera, stream, first, last, count)))
        return [span for _, span in sorted(spans, key=lambda one: one[0])]

    def holding(self) -> Holding:
        """How much there is; milliseconds. Raises as rows()."""
        with self._in_our_words():
            acknowledged = watermark.read(self._folder).row
            db = self._connection()
            if db is None or self._path is None:
                return Holding(0, 0, 0, 0, None, None, 0, acknowledged)
            state = tables.load(db, self._path)
            acknowledged = max(acknowledged, state.acknowledged)
            # The writer has not written these down yet; there are many only where it does not run.
            newly = "SELECT length(payload) FROM rows WHERE row > ? AND row <= ?"
            sizes = [tables.room_for(size) for (size,) in db.execute(newly, (state.acknowledged, acknowledged))]
            moment = "SELECT recorded_utc_ns FROM rows WHERE row > ? AND row <= ? ORDER BY row LIMIT 1"
            waiting = db.execute(moment, (acknowledged, _ROW_MAX)).fetchone()
            kept = db.execute(moment, (0, acknowledged)).fetchone()
            return Holding(
                waiting=state.waiting - len(sizes),
                waiting_bytes=state.waiting_bytes - sum(sizes),
                kept=state.kept + len(sizes),
                kept_bytes=state.kept_bytes + sum(sizes),
                oldest_waiting_utc_ns=None if waiting is None else waiting[0],
                oldest_kept_utc_ns=None if kept is None else kept[0],
                newest_row=state.last_row,
                acknowledged=acknowledged,
            )

    def heads(self) -> dict[str, Head]:
        """By stream: its newest record and the link behind it, as the writer wrote them down; for `chain.verify`.

        Only the newest stream of each camera and topic; milliseconds. Raises as rows().
        """
        with self._in_our_words():
            db = self._connection()
            if db is None or self._path is None:
                return {}
            streams = tables.load(db, self._path).streams.values()
        return {one.stream: Head(one.next - 1, one.head) for one in streams}

    @property
    def damaged(self) -> int:
        """Rows met until now whose checksum is wrong."""
        return self._damaged

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _in_our_words(self) -> AbstractContextManager[None]:
        return in_our_words(f"The outbox in {self._folder}")

    def _rows(self, db: sqlite3.Connection, selection: Selection, after_row: int, limit: int) -> list[Kept]:
        first, last = _bounds(db, selection)
        first = max(first, after_row + 1)
        condition, values = _condition(selection)
        if _is_narrow(selection):
            condition, values = f"sequence >= ? AND {condition}", [_covering(db, selection), *values]
            wanted = f"SELECT row FROM rows WHERE row BETWEEN ? AND ? AND {condition} ORDER BY row LIMIT ?"  # noqa: S608
            found = db.execute(f"{_SELECT} WHERE row IN ({wanted}) ORDER BY row", (first, last, *values, limit))
            return self._whole(found)
        # By row, in stretches: a camera with few rows must not keep a read transaction open over all the others.
        scan = f"{_SELECT} WHERE row BETWEEN ? AND ? AND {condition} ORDER BY row LIMIT ?"
        kept: list[Kept] = []
        while first <= last and len(kept) < limit:
            following = db.execute("SELECT min(row) FROM rows WHERE row >= ?", (first,)).fetchone()[0]
            if following is None:
                break
            end = min(last, following + _STRETCH_ROWS)
            room = limit - len(kept)
            read = db.execute(scan, (following, end, *values, room)).fetchall()
            kept += self._whole(read)
            # One that is damaged is found and not kept: then there is more of this stretch.
            first = read[-1][0] + 1 if len(read) == room else end + 1
        return kept

    def _whole(self, found: Iterable[Sequence[Any]]) -> list[Kept]:
        kept = []
        for one in found:
            row = from_disk(one[:8])
            if row is None:
                self._damaged += 1
            else:
                kept.append(Kept(row, one[8]))
        return kept

    def _connection(self) -> sqlite3.Connection | None:
        path = current(self._folder)
        if path != self._path or self._db is None:
            self.close()
            self._path = path
            self._db = None if path is None else _open(path)
        return self._db


def _open(path: Path) -> sqlite3.Connection:
    uri = path.resolve().as_uri() + "?mode=ro"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0, check_same_thread=False)
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error:
        db.close()
        raise
    if version != tables.FORMAT:
        db.close()
        msg = f"The outbox {path} is of format {version}: start the appliance once, that brings it up to date"
        raise DiskFailed(msg)
    return db


def _is_narrow(selection: Selection) -> bool:
    """Whether the index on numbers is the way: few enough of them to be sorted by row."""
    if selection.stream is None or selection.from_sequence is None or selection.to_sequence is None:
        return False
    return selection.to_sequence - selection.from_sequence <= _NARROW


def _covering(db: sqlite3.Connection, selection: Selection) -> int:
    """The number from which to look: a gap message that begins before the first one may reach over it."""
    first = selection.from_sequence or 0
    before = db.execute(
        "SELECT sequence, through FROM rows WHERE stream = ? AND sequence < ? ORDER BY sequence DESC LIMIT 1",
        (selection.stream, first),
    ).fetchone()
    return first if before is None or before[1] < first else int(before[0])


def _bounds(db: sqlite3.Connection, selection: Selection) -> tuple[int, int]:
    """The first and the last row that are worth a look."""
    if selection.since_utc_ns is None and selection.until_utc_ns is None:
        return 0, _ROW_MAX
    return marks.span(db, selection.since_utc_ns, selection.until_utc_ns) or (1, 0)


def _condition(selection: Selection) -> tuple[str, list[Any]]:
    wanted = [
        ("camera = ?", selection.camera),
        ("topic = ?", selection.topic),
        ("+stream = ?" if not _is_narrow(selection) else "stream = ?", selection.stream),
        ("through >= ?", selection.from_sequence),
        ("sequence <= ?", selection.to_sequence),
        ("recorded_utc_ns >= ?", selection.since_utc_ns),
        ("recorded_utc_ns <= ?", selection.until_utc_ns),
    ]
    given = [(text, value) for text, value in wanted if value is not None]
    return " AND ".join(["1", *(text for text, _ in given)]), [value for _, value in given]
