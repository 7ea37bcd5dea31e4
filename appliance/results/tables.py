"""Ways to write results down: JSON lines and CSV. Parquet has a module of its own, for it needs pyarrow."""

import csv
from collections.abc import Sequence
from typing import Any, BinaryIO, Protocol

from appliance.outbox.row import GAP_TOPIC
from appliance.results import moments
from appliance.results.columns import Column
from appliance.results.message import Message
from appliance.results.rechecks import Rechecks


class Sheet(Protocol):
    """One thread. Memory does not grow with the messages."""

    def write(self, one: Message) -> bool:
        """Whether it has a place here: a gap has none in a table. Raises OSError."""

    def finish(self) -> None:
        """After the last; `out` stays open. Raises OSError."""

    def abandon(self) -> None:
        """Instead of finish(), where it failed: nothing is written any more."""


class JsonLines:
    """Each message byte for byte; with `recheck` at its end where it was rechecked."""

    def __init__(self, out: BinaryIO, rechecks: Rechecks | None) -> None:
        self._out = out
        self._rechecks = rechecks

    def write(self, one: Message) -> bool:
        """Results and gaps."""
        recheck = None if self._rechecks is None else self._rechecks.of(one.fields)
        payload = one.payload if recheck is None else one.payload[:-1] + f',"recheck":"{recheck}"}}'.encode()
        self._out.write(payload + b"\n")
        return True

    def finish(self) -> None:
        """Nothing is held back."""

    def abandon(self) -> None:
        """Nothing is held back."""


class Csv:
    """UTF-8, a heading, lines end with a line feed (RFC 4180 but for that); empty: not there."""

    def __init__(self, out: BinaryIO, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._rows = csv.writer(_Utf8(out), lineterminator="\n")
        self._rows.writerow([column.name for column in columns])

    def write(self, one: Message) -> bool:
        """Results."""
        if one.topic == GAP_TOPIC:
            return False
        self._rows.writerow([_text(column, column.value(one)) for column in self._columns])
        return True

    def finish(self) -> None:
        """Nothing is held back."""

    def abandon(self) -> None:
        """Nothing is held back."""


class _Utf8:
    """What csv writes to. A TextIOWrapper would write what it holds when it is collected, wherever that is."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(text.encode())


def _text(column: Column, value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if column.kind == "moment" and isinstance(value, int):
        return moments.text(value)
    return value
