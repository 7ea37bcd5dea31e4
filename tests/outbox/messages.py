"""Results as the line makes them, and what was recorded of them."""

import itertools
import threading
from collections.abc import Sequence
from pathlib import Path

from appliance.outbox.reader import Reader
from appliance.outbox.row import Recorded, Row

_numbers = itertools.count()


def result(camera: str = "top", **more: object) -> dict:
    """A message like a result, told apart by its `result_id`."""
    return {
        "schema_version": 1,
        "result_id": f"id-{next(_numbers)}",
        "station": "box1",
        "camera": camera,
        "verdict": "pass",
        "classes": [{"label": "good", "score": 0.98}],
        **more,
    }


class Record:
    """What the outbox said is on the disk; with the rows as they lie there, read at that moment."""

    def __init__(self, folder: Path) -> None:
        self.recorded: list[Recorded] = []
        self.rows: dict[int, Row] = {}
        self._reader = Reader(folder)
        self._changed = threading.Condition()

    def __call__(self, recorded: Sequence[Recorded]) -> None:
        rows = self._reader.after(recorded[0].row - 1, len(recorded))
        with self._changed:
            self.rows |= {row.row: row for row in rows}
            self.recorded += recorded
            self._changed.notify_all()

    def payloads(self, camera: str = "top", topic: str = "result") -> list[bytes]:
        return [row.payload for row in self.rows.values() if (row.camera, row.topic) == (camera, topic)]

    def wait(self, count: int, timeout_s: float = 20.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.recorded) >= count, timeout_s), (
                f"{len(self.recorded)} of {count} were recorded in {timeout_s} s"
            )

    def close(self) -> None:
        self._reader.close()


def append(outbox, count, camera="top", **more):
    """Hand over so many results and wait until they are on the disk; returns the newest row."""
    before = len(outbox.record.recorded)
    for _ in range(count):
        outbox.append(camera, "result", result(camera, **more))
    outbox.record.wait(before + count)
    return outbox.record.recorded[-1].row


def numbers(rows):
    """Their sequences."""
    return [row.sequence for row in rows]


def stored(folder):
    """Every row on the disk."""
    reader = Reader(folder)
    try:
        return reader.after(0, 1_000_000)
    finally:
        reader.close()
