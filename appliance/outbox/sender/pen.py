"""Writes down how far the broker has acknowledged, often enough and not too often."""

import time
from pathlib import Path
from typing import Final

from appliance.outbox import smallfile, watermark
from appliance.outbox.disk.tables import acknowledged_in
from appliance.outbox.errors import DiskFailed
from appliance.outbox.files import current
from appliance.outbox.row import Row

_PERIOD_S: Final = 0.5
_ROWS_MANY: Final = 50
_PERIOD_OF_MANY_S: Final = 0.05
"""Receipts of half a second are written together; with many of them, of a twentieth. A crash of the gateway costs
these as duplicates, and no more; each write costs a disk its two fsyncs."""
_COST_SHARE: Final = 9
"""Where a disk is slow, nine times as long as the last write took: no more than a tenth of the time is spent on it."""
_STREAMS_MAX: Final = 256
"""Streams that ended are forgotten when there are more: only a running one can still lose something."""


class Watermark:
    """The gateway's pen. One thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._acknowledged = watermark.read(folder)
        self._sequences = dict(self._acknowledged.sequences)
        self._damaged_in: str | None = None
        # Where our file is lost, what the writer had read of it counts: rows stay, and not all are to be sent again.
        self._row = max(self._acknowledged.row, acknowledged_in(current(folder)))
        self._unwritten = 0
        self._written_ns = 0
        self._cost_s = 0.0

    @property
    def row(self) -> int:
        """The last row of the unbroken run of acknowledged ones."""
        return self._row

    def advance(self, row: Row) -> None:
        """The broker has `row` and all before it. Reaches the disk with `flush`."""
        self._row = row.row
        self._unwritten += 1
        # After damage a gap message stands behind higher numbers of its stream: what the broker has of those remains.
        self._sequences[row.stream] = max(self._sequences.pop(row.stream, 0), row.through)
        while len(self._sequences) > _STREAMS_MAX:
            del self._sequences[next(iter(self._sequences))]

    def damaged(self, file_name: str | None) -> None:
        """Tell the writer that this file of its cannot be read; None when all can be."""
        self._damaged_in = file_name

    def due_in_s(self) -> float | None:
        """Seconds until `flush` has something to write; None when nothing changed."""
        if (self._row, self._damaged_in) == (self._acknowledged.row, self._acknowledged.damaged_in):
            return None
        period_s = _PERIOD_S if self._unwritten < _ROWS_MANY else _PERIOD_OF_MANY_S
        period_s = max(period_s, _COST_SHARE * self._cost_s)
        return max(0.0, period_s - (time.monotonic_ns() - self._written_ns) / 1e9)

    def flush(self) -> None:
        """Write it, in milliseconds, where something changed. Raises DiskFailed; the caller may go on."""
        if self.due_in_s() is None:
            return
        now = watermark.Acknowledged(self._row, dict(self._sequences), self._damaged_in)
        began_ns = time.monotonic_ns()
        try:
            smallfile.replace(
                self._folder / watermark.FILE_NAME,
                {"row": now.row, "sequences": now.sequences, "damaged_in": now.damaged_in},
            )
        except OSError as error:
            msg = (
                f"How far the broker has come cannot be written to {self._folder} ({error.strerror}): "
                "after a restart some results are sent twice; make room on the disk"
            )
            raise DiskFailed(msg) from error
        finally:
            self._written_ns = time.monotonic_ns()
            self._cost_s = min(_PERIOD_S, (self._written_ns - began_ns) / 1e9)
        self._acknowledged = now
        self._unwritten = 0
