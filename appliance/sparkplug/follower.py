"""The parts that were recorded, read behind the writer: what is new, and what was missed while nobody could hear it."""

import json
import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.outbox.history import History
from appliance.outbox.reader import Reader
from appliance.outbox.row import GAP_TOPIC, Row

_log = logging.getLogger(__name__)

BACKLOG_MAX: Final = 1000
"""Rows told afterwards, the newest: the live view is no archive; the durable topic is."""
_PORTION: Final = 50
_TAIL: Final = 100


@dataclass(frozen=True, slots=True)
class Part:
    """One recorded result."""

    row: int
    camera: str
    result: dict[str, Any]


class Follower:
    """One thread. Reads only, and so little at once that the writer is never held up."""

    def __init__(self, folder: Path) -> None:
        self._reader = Reader(folder)
        self._history = History(folder)
        self._told = 0
        self._lately: deque[tuple[float, int]] = deque(maxlen=BACKLOG_MAX)
        """(When it was told, the row before it)."""
        self.newest = 0
        """No row above it is known of."""

    def start(self) -> None:
        """From here on; what was recorded before is not told. Raises: OutboxError."""
        self.look()
        self._told = self.newest

    def hint(self, row: int) -> None:
        """Rows up to this one are on the disk."""
        self.newest = max(self.newest, row)

    def look(self) -> None:
        """Learn of the newest row; milliseconds. Raises: OutboxError."""
        self.newest = max(self.newest, self._history.holding().newest_row)

    def skip(self) -> None:
        """Leave out what is too much to be told afterwards."""
        begin = self.newest - BACKLOG_MAX
        if begin > self._told:
            _log.warning("some %d parts are not told to Sparkplug hosts: too many came meanwhile", begin - self._told)
            self._told = begin

    @property
    def is_behind(self) -> bool:
        """There are parts that were not told."""
        return self._told < self.newest

    def rewind(self, since_s: float) -> None:
        """What was told since then may not have been heard: it counts as not told."""
        while self._lately and self._lately[-1][0] >= since_s:
            _, self._told = self._lately.pop()

    def tail(self) -> list[Part]:
        """The newest parts, told or not, oldest first. Raises: OutboxError."""
        rows = self._reader.after(max(0, self.newest - _TAIL), _TAIL)
        return [_part(row) for row in rows if row.topic != GAP_TOPIC]

    def next(self, now_s: float) -> Iterator[Part]:
        """Some of those that were not told; what was taken from here counts as told. Raises: OutboxError."""
        for row in self._reader.after(self._told, _PORTION):
            self._lately.append((now_s, self._told))
            self._told = row.row
            self.newest = max(self.newest, row.row)
            if row.topic != GAP_TOPIC:
                yield _part(row)

    def close(self) -> None:
        """Let go of the files; may be called twice."""
        self._reader.close()
        self._history.close()


def _part(row: Row) -> Part:
    return Part(row.row, row.camera, json.loads(row.payload))
