"""Results as Parquet, typed, for whoever computes with them. Needs pyarrow (the extra `parquet`)."""

from collections.abc import Sequence
from typing import Any, BinaryIO, Final

from appliance.outbox.row import GAP_TOPIC
from appliance.results.columns import Column
from appliance.results.errors import ResultsError
from appliance.results.message import Message
from appliance.results.moments import utc_ns

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as error:
    raise ResultsError(
        "Parquet needs pyarrow, which is not installed here: python3 -m pip install 'pyarrow>=20' beside the "
        "appliance, or take --format csv or jsonl."
    ) from error

_GROUP_ROWS: Final = 20_000
"""Held in memory at most; with pyarrow itself some 150 MB. Readers take a group at a time too."""
_TYPES: Final[dict[str, Any]] = {
    "text": pa.string(),
    "word": pa.dictionary(pa.int32(), pa.string()),
    "whole": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "moment": pa.timestamp("ms", tz="UTC"),
    "json": pa.string(),
}


class Parquet:
    """One thread. zstd, in groups of rows."""

    def __init__(self, out: BinaryIO, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._schema = pa.schema([(column.name, _TYPES[column.kind]) for column in columns])
        self._sink = _Sink(out)
        self._writer = parquet.ParquetWriter(pa.PythonFile(self._sink, mode="w"), self._schema, compression="zstd")
        self._values: list[list[Any]] = [[] for _ in columns]

    def write(self, one: Message) -> bool:
        """Results."""
        if one.topic == GAP_TOPIC:
            return False
        for column, values in zip(self._columns, self._values, strict=True):
            values.append(_typed(column, column.value(one)))
        if len(self._values[0]) >= _GROUP_ROWS:
            self._write_group()
        return True

    def finish(self) -> None:
        """The last group, and the file's foot."""
        if self._values[0]:
            self._write_group()
        self._writer.close()

    def abandon(self) -> None:
        """It writes a file's foot also where nobody wants it any more."""
        self._sink.is_open = False
        self._writer.close()

    def _write_group(self) -> None:
        try:
            arrays = [pa.array(values, field.type) for values, field in zip(self._values, self._schema, strict=True)]
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ResultsError(f"A result has a value that is not of its column's kind ({error}).") from error
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=_GROUP_ROWS)
        for values in self._values:
            values.clear()


class _Sink:
    """What pyarrow writes to."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.is_open = True
        self.closed = False

    def write(self, data: bytes) -> int:
        return self._out.write(data) if self.is_open else len(data)

    def flush(self) -> None:
        """The file is flushed by its owner."""


def _typed(column: Column, value: Any) -> Any:
    if column.kind != "moment" or value is None:
        return value
    try:
        return (utc_ns(value) if isinstance(value, str) else value) // 1_000_000
    except ValueError as error:
        raise ResultsError(f"A result has a moment in {column.name} that is none: {value!r}.") from error
