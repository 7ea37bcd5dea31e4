"""The rows of an outbox as messages."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from appliance.outbox.history import History, Kept, Selection
from appliance.results.errors import ResultsError
from appliance.results.folder import readable
from appliance.results.message import Message


class RecordedRows:
    """One thread. Never a change to the folder."""

    def __init__(self, folder: Path) -> None:
        """Raises: ResultsError."""
        self._folder = folder
        self._open = ExitStack()
        self.history = History(self._open.enter_context(readable(folder)))

    @property
    def name(self) -> str:
        """As a sentence has it."""
        return f"the outbox {self._folder}"

    @property
    def damaged(self) -> int:
        """Rows met until now whose checksum is wrong."""
        return self.history.damaged

    def about(self) -> int | None:
        """How many rows there are. Raises: OutboxError."""
        return sum(one.rows for one in self.history.streams())

    def every(self, selection: Selection) -> Iterator[Message]:
        """In the order of recording. Raises: ResultsError, OutboxError."""
        return map(message, self.history.every(selection))

    def after(self, row: int, selection: Selection, limit: int = 1000) -> list[Message]:
        """At most `limit` behind row `row`. Raises: ResultsError, OutboxError."""
        return [message(kept) for kept in self.history.rows(selection, after_row=row, limit=limit)]

    def close(self) -> None:
        """Let go of the file, and remove the copy where one was needed."""
        self.history.close()
        self._open.close()


def message(kept: Kept) -> Message:
    """Raises: ResultsError."""
    row = kept.row
    try:
        fields = json.loads(row.payload)
    except ValueError as error:
        raise ResultsError(f"Row {row.row} of the outbox holds no JSON ({error}).") from error
    if not isinstance(fields, dict):
        raise ResultsError(f"Row {row.row} of the outbox holds no JSON object.")
    return Message(
        row.row, row.camera, row.topic, row.stream, row.sequence, row.through, kept.recorded_utc_ns, fields, row.payload
    )
