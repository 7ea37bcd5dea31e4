"""Rows that leave the file: acknowledged ones without a word, others for a gap message in their place."""

import sqlite3
from dataclasses import dataclass

from appliance.outbox.chain import link_after, prev_of
from appliance.outbox.disk.tables import insert, room_for
from appliance.outbox.row import GAP_TOPIC, Row, gap


@dataclass(slots=True)
class Deleted:
    """What went."""

    rows: int = 0
    bytes: int = 0
    """Of disk, at most."""
    last_row: int = 0
    results: int = 0
    """Of rows given up: those that were no gap message."""


def delete_oldest(db: sqlite3.Connection, through: int, most: int) -> Deleted:
    """Delete the oldest rows up to `through`, at most so many."""
    found = db.execute(
        "SELECT row, length(payload) FROM rows WHERE row <= ? ORDER BY row LIMIT ?", (through, most)
    ).fetchall()
    if not found:
        return Deleted()
    last_row = found[-1][0]
    db.execute("DELETE FROM rows WHERE row <= ?", (last_row,))
    return Deleted(len(found), sum(room_for(size) for _, size in found), last_row)


@dataclass(slots=True)
class _GivenUp:
    """One stream's rows that go. After damage its gap messages stand behind its results: not every row is newer."""

    opening: int
    """The row with its first number."""
    first: int
    closing: int
    """The row with its last number."""
    last: int
    place: int
    """The last of the rows."""

    def add(self, row: int, first: int, last: int) -> None:
        """One more."""
        if first < self.first:
            self.opening, self.first = row, first
        if last >= self.last:
            self.closing, self.last = row, last
        self.place = row


def drop_oldest(db: sqlite3.Connection, through: int, wanted_bytes: int) -> Deleted:
    """Give up the oldest rows up to `through` for one gap message a stream, until so much room is free.

    The gap takes the place of the *last* row given up: were it earlier, a receipt for rows that the gateway
    had read before could delete it while later ones of its range were never sent.
    """
    dropped = Deleted()
    streams: dict[str, _GivenUp] = {}
    oldest = db.execute(
        "SELECT row, topic, stream, sequence, through, length(payload) FROM rows WHERE row <= ? ORDER BY row",
        (through,),
    )
    for row, topic, stream, first, last, size in oldest:
        if dropped.bytes >= wanted_bytes:
            break
        streams.setdefault(stream, _GivenUp(row, first, row, last, row)).add(row, first, last)
        dropped.rows += 1
        dropped.bytes += room_for(size)
        dropped.last_row = row
        dropped.results += topic != GAP_TOPIC
    oldest.close()
    gaps = [_gap_for(db, one) for one in sorted(streams.values(), key=lambda one: one.place)]
    db.execute("DELETE FROM rows WHERE row <= ?", (dropped.last_row,))
    for row, recorded_utc_ns in gaps:
        insert(db, [row], recorded_utc_ns)
        dropped.rows -= 1
        dropped.bytes -= room_for(len(row.payload))
    return dropped


def _gap_for(db: sqlite3.Connection, gone: _GivenUp) -> tuple[Row, int]:
    select = "SELECT camera, stream, payload, recorded_utc_ns FROM rows WHERE row = ?"
    _, _, opening, _ = db.execute(select, (gone.opening,)).fetchone()
    camera, stream, closing, _ = db.execute(select, (gone.closing,)).fetchone()
    *_, recorded_utc_ns = db.execute(select, (gone.place,)).fetchone()
    payload = gap(stream, gone.first, gone.last, "outbox_full", prev_of(opening), link_after(closing))
    return Row(gone.place, camera, GAP_TOPIC, stream, gone.first, gone.last, payload), recorded_utc_ns
