"""The gateway's view of the outbox: rows in order, never a change to the file."""

import sqlite3
from itertools import takewhile
from pathlib import Path
from typing import Final

from appliance.outbox.errors import OutboxDamaged
from appliance.outbox.faults import in_our_words
from appliance.outbox.files import current
from appliance.outbox.row import Row, from_disk

_SELECT: Final = (
    "SELECT row, camera, topic, stream, sequence, through, payload, checksum FROM rows"
    " WHERE row > ? ORDER BY row LIMIT ?"
)


class Reader:
    """One thread. Follows the writer to a new file where the old one was damaged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._db: sqlite3.Connection | None = None

    @property
    def file_name(self) -> str | None:
        """The file that is read; None before there is one."""
        return None if self._path is None else self._path.name

    def after(self, row: int, limit: int) -> list[Row]:
        """At most `limit` rows behind `row`, in order; empty where there are none, or no outbox yet.

        A short read transaction, so that the writer's log can be emptied. Raises DiskFailed, and OutboxDamaged
        where the very next row is not what was written.
        """
        with in_our_words(f"The outbox in {self._folder}"):
            db = self._connection()
            if db is None:
                return []
            try:
                found = db.execute(_SELECT, (row, limit)).fetchall()
            except sqlite3.DatabaseError:
                found = db.execute(_SELECT, (row, 1)).fetchall()  # the damage may lie further on
        rows = list(takewhile(lambda one: one is not None, map(from_disk, found)))
        if found and not rows:
            msg = f"Row {found[0][0]} of {self._path} is not what was written: the disk fails; have it looked at"
            raise OutboxDamaged(msg)
        return [one for one in rows if one is not None]

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _connection(self) -> sqlite3.Connection | None:
        path = current(self._folder)
        if path != self._path or self._db is None:
            self.close()
            self._path = path
            if path is not None:
                uri = path.resolve().as_uri() + "?mode=ro"
                self._db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0, check_same_thread=False)
        return self._db
