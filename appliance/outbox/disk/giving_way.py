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


def drop_oldest(db: sqlite3.Connection, through: int, wanted_bytes: int) -> Deleted:
    """Give up the oldest rows up to `through` for one gap message a stream, until so much room is free.

    The gap takes the place of the *last* row given up: were it earlier, a receipt for rows that the gateway
    had read before could delete it while later ones of its range were never sent.
    """
    dropped = Deleted()
    ends: dict[str, tuple[int, int]] = {}
    """Stream -> its first and its last row given up."""
    oldest = db.execute("SELECT row, topic, stream, length(payload) FROM rows WHERE row <= ? ORDER BY row", (through,))
    for row, topic, stream, size in oldest:
        if dropped.bytes >= wanted_bytes:
            break
        ends[stream] = (ends.get(stream, (row, row))[0], row)
        dropped.rows += 1
        dropped.bytes += room_for(size)
        dropped.last_row = row
        dropped.results += topic != GAP_TOPIC
    oldest.close()
    gaps = [_gap_for(db, first, last) for first, last in sorted(ends.values(), key=lambda one: one[1])]
    db.execute("DELETE FROM rows WHERE row <= ?", (dropped.last_row,))
    for row, recorded_utc_ns in gaps:
        insert(db, [row], recorded_utc_ns)
        dropped.rows -= 1
        dropped.bytes -= room_for(len(row.payload))
    return dropped


def _gap_for(db: sqlite3.Connection, first: int, last: int) -> tuple[Row, int]:
    select = "SELECT camera, stream, sequence, through, payload, recorded_utc_ns FROM rows WHERE row = ?"
    _, _, from_sequence, _, opening, _ = db.execute(select, (first,)).fetchone()
    camera, stream, _, through, closing, recorded_utc_ns = db.execute(select, (last,)).fetchone()
    payload = gap(stream, from_sequence, through, "outbox_full", prev_of(opening), link_after(closing))
    return Row(last, camera, GAP_TOPIC, stream, from_sequence, through, payload), recorded_utc_ns
