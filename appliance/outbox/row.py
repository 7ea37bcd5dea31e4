"""One row of the outbox: a message that is on the disk until the broker has it, and some days longer."""

import json
import os
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

GAP_TOPIC: Final = "gap"
"""The outbox's own topic: which numbers of a stream will never come, and why."""
GAP_SCHEMA_PATH: Final = Path(__file__).with_name("gap.schema.json")
"""The JSON Schema that every gap message obeys."""
PAYLOAD_MAX_BYTES: Final = 65_536

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Row:
    """A message as it lies on the disk and as the broker gets it."""

    row: int
    """Counts up over all cameras and is never used again; the order of publishing."""
    camera: str
    topic: str
    """`result`, `gap`, ...: the last level of the MQTT topic."""
    stream: str
    sequence: int
    """A gap's first number."""
    through: int
    """A gap's last number; otherwise the same as `sequence`."""
    payload: bytes
    """UTF-8 JSON, published byte for byte."""

    def checksum(self) -> int:
        """CRC-32 over all of it; a flipped bit anywhere shows."""
        key = f"{self.row}\n{self.camera}\n{self.topic}\n{self.stream}\n{self.sequence}\n{self.through}\n"
        return zlib.crc32(self.payload, zlib.crc32(key.encode()))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message that is on the disk, to stay there over a power cut."""

    row: int
    camera: str
    topic: str
    stream: str
    sequence: int
    through: int
    committed_ns: int
    """CLOCK_MONOTONIC when the disk had confirmed it."""


def from_disk(found: Sequence[Any]) -> Row | None:
    """The row for (row, camera, topic, stream, sequence, through, payload, checksum).

    None where that is not what was written.
    """
    row, camera, topic, stream, sequence, through, payload, checksum = found
    if not isinstance(payload, bytes):
        return None
    read = Row(row, camera, topic, stream, sequence, through, payload)
    return read if read.checksum() == checksum else None


def numbered(fields: Mapping[str, Any], stream: str, sequence: int, prev: str | None = None) -> bytes:
    """The message with `stream`, `sequence` and `prev` behind its ids, as UTF-8 JSON; about 10 µs.

    Raises: TypeError, ValueError where `fields` is not JSON (NaN is not).
    """
    ours = {"stream": stream, "sequence": sequence, "prev": prev}
    message = {name: fields[name] for name in ("schema_version", "result_id") if name in fields}
    message |= ours
    message |= fields
    message |= ours  # whatever the message says; each name stays in the place where it came first
    return _encode(message).encode()


def gap(stream: str, first: int, last: int, reason: str, prev: str | None = None, replaces: str | None = None) -> bytes:
    """The message that the numbers `first` to `last` of `stream` will never come.

    `prev` is the link before `first`; `replaces` the link behind `last`, where records stood there: see `chain`.
    """
    message = {"stream": stream, "from_sequence": first, "to_sequence": last, "reason": reason, "prev": prev}
    return _encode(message if replaces is None else message | {"replaces": replaces}).encode()


def new_stream() -> str:
    """A version 7 UUID (RFC 9562): streams sort by the time of their beginning."""
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
