"""The index of a SavedModel's variables, read without TensorFlow.

`variables/variables.index` is a table in LevelDB's form (table_format.md of google/leveldb), as TensorFlow writes it:
not compressed, keys in order, each value a BundleEntryProto (tensor_bundle.proto of tensorflow/tensorflow).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.publishing.errors import PublishError
from appliance.runtimes.wire import WireError, fields

INDEX: Final = Path("variables") / "variables.index"
_INDEX_MAX_BYTES: Final = 64 << 20
_FOOTER_BYTES: Final = 48
_MAGIC: Final = 0xDB4775248B80FB57
_SIZE, _CHECKSUM, _SHAPE, _DTYPE = 5, 6, 2, 1


@dataclass(frozen=True, slots=True)
class Variable:
    """One tensor of a checkpoint."""

    name: str
    """Its key: the path of attributes from the exported object."""
    size: int
    """Bytes."""
    same_as: tuple[int, int, bytes, int]
    """Equal for two variables with the same type, shape and bytes: by their checksum, as TensorFlow stored it."""


def variables(folder: Path) -> tuple[Variable, ...]:
    """Those of the SavedModel in `folder`; none where it has no index. Raises: PublishError where it is damaged."""
    file = folder / INDEX
    if not file.is_file():
        return ()
    if file.stat().st_size > _INDEX_MAX_BYTES:
        raise PublishError(f"{file} is above {_INDEX_MAX_BYTES >> 20} MiB, which no index is; export the model again.")
    table = memoryview(file.read_bytes())
    try:
        return tuple(_variable(key, value) for key, value in _entries(table) if key)
    except (WireError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise PublishError(f"{file} is damaged ({error}); export the model again.") from error


def _variable(key: bytes, value: memoryview) -> Variable:
    numbers = {_SIZE: 0, _CHECKSUM: 0, _DTYPE: 0}
    shape = b""
    for number, _kind, found in fields(value):
        if isinstance(found, memoryview):
            if number == _SHAPE:
                shape = bytes(found)
            elif number == _CHECKSUM:
                (numbers[number],) = struct.unpack("<I", found)
        elif number in numbers:
            numbers[number] = found
    return Variable(key.decode(), numbers[_SIZE], (numbers[_CHECKSUM], numbers[_DTYPE], shape, numbers[_SIZE]))


def _entries(table: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    footer = table[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise WireError("it does not end as a table does")
    _, _, after = _handle(footer)
    place, size, _ = _handle(footer[after:])
    for _, handle in _block(table, place, size):
        at, length, _ = _handle(handle)
        yield from _block(table, at, length)


def _handle(raw: memoryview) -> tuple[int, int, int]:
    """Offset and size of a block, and the bytes that said so."""
    offset, first = _number(raw, 0)
    size, second = _number(raw, first)
    return offset, size, second


def _block(table: memoryview, offset: int, size: int) -> Iterator[tuple[bytes, memoryview]]:
    if offset + size + 5 > len(table):
        raise WireError("a block reaches beyond the end")
    if table[offset + size]:
        raise WireError("a block is compressed")
    block = table[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    position, end = 0, size - 4 * (restarts + 1)
    key = b""
    while position < end:
        shared, position = _number(block, position)
        fresh, position = _number(block, position)
        length, position = _number(block, position)
        key = key[:shared] + bytes(block[position : position + fresh])
        position += fresh
        yield key, block[position : position + length]
        position += length


def _number(raw: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise WireError(f"a number of more than ten bytes at byte {position}")
