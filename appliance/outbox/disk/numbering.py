"""From messages to numbered rows: gapless within a stream, or with a gap message. Pure: no clock, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.outbox.chain import digest
from appliance.outbox.row import GAP_TOPIC, PAYLOAD_MAX_BYTES, Row, gap, new_stream, numbered


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that has no number yet."""

    camera: str
    topic: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Losses:
    """Messages that will never be recorded: their numbers are used up, and a gap message says so."""

    counts: dict[tuple[str, str], int]
    """(camera, topic) -> how many."""
    reason: str


@dataclass(frozen=True, slots=True)
class Stream:
    """One life of one camera's messages on one topic."""

    stream: str
    next: int
    """The number that its next message gets."""
    head: str | None = None
    """The link behind its newest message: what the next one has as `prev`. None: there is none, or it is not known."""


Streams = dict[tuple[str, str], Stream]
"""(camera, topic) -> its newest stream."""


def rows_for(entry: Entry | Losses, streams: Streams, last_row: int) -> tuple[list[Row], int]:
    """The rows for one entry, numbered from `streams`, which moves on; and 1 if it could not be kept as it is."""
    if isinstance(entry, Losses):
        rows = [
            _gap_row(key, count, entry.reason, streams, last_row + nth)
            for nth, (key, count) in enumerate(entry.counts.items(), 1)
        ]
        return rows, 0
    key = (entry.camera, entry.topic)
    stream = streams.get(key) or Stream(new_stream(), 1)
    try:
        payload = numbered(entry.fields, stream.stream, stream.next, stream.head)
    except (TypeError, ValueError, RecursionError):
        return [_gap_row(key, 1, "not_json", streams, last_row + 1)], 1
    if len(payload) > PAYLOAD_MAX_BYTES:
        return [_gap_row(key, 1, "too_large", streams, last_row + 1)], 1
    streams[key] = Stream(stream.stream, stream.next + 1, digest(payload))
    return [Row(last_row + 1, *key, stream.stream, stream.next, stream.next, payload)], 0


def _gap_row(key: tuple[str, str], count: int, reason: str, streams: Streams, row: int) -> Row:
    stream = streams.get(key) or Stream(new_stream(), 1)
    first, last = stream.next, stream.next + count - 1
    payload = gap(stream.stream, first, last, reason, stream.head)
    streams[key] = Stream(stream.stream, last + 1, digest(payload))
    return Row(row, key[0], GAP_TOPIC, stream.stream, first, last, payload)
