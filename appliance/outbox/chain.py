"""The chain of a stream: each record names the one before it, so that a change or a missing one shows.

Pure: no clock, no I/O. A record is the payload of a result or a gap message, byte for byte. What the chain shows and
what it cannot show: deploy/decisions/0027.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

_RECORDED: Final = b'"replayed":false'
_REPLAYED: Final = b'"replayed":true'
_REMEMBERED: Final = 1024
"""Records per stream that are known again when they come twice, as QoS 1 allows."""
_HOLES_MAX: Final = 10_000
"""Per stream; of more, the oldest are told at once."""
_SEQUENCE_MAX: Final = 2**63


def digest(payload: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits; about a microsecond a kilobyte."""
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"


def as_replayed(payload: bytes) -> bytes:
    """The same record as it is sent again on request; a gap message stays as it is.

    By text: our encoder puts no space behind a colon, and inside a JSON string every quotation mark has a backslash.
    """
    return payload.replace(_RECORDED, _REPLAYED, 1)


def as_recorded(payload: bytes) -> bytes:
    """The record as it lies on the box, from the one that was sent, for the first time or again."""
    return payload.replace(_REPLAYED, _RECORDED, 1)


def link_after(payload: bytes) -> str:
    """What the next record of the stream has as its `prev`."""
    replaces = _field(payload, "replaces")
    return digest(payload) if replaces is None else replaces


def prev_of(payload: bytes) -> str | None:
    """The record's own `prev`; None for the first of a stream, and where there is none to be read."""
    return _field(payload, "prev")


class Kind(str, Enum):
    """What can be wrong with records."""

    UNREADABLE = "unreadable"
    """A line that is no record of ours."""
    BROKEN_LINK = "broken_link"
    """Two neighbours do not belong together: a byte of the first one, or the second one's `prev`, was changed."""
    MISSING = "missing"
    """Numbers that are neither there nor named by a gap message."""
    CONTRADICTION = "contradiction"
    """Two different records with one number."""
    ALTERED = "altered"
    """The newest record is not the one that the box recorded last."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    stream: str | None
    first: int
    """The first sequence that it is about; for an unreadable line its number, from 1."""
    last: int
    message: str
    """A sentence for a person."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a stream has come to."""

    sequence: int
    link: str | None
    """What its next record has to have as `prev`; None where that is not known."""


@dataclass(slots=True)
class _Hole:
    first: int
    last: int
    before: str | None
    """The link that leads into it; None: not known."""
    after: str | None
    """The `prev` of the record behind it; None: not known."""


@dataclass(slots=True)
class _Seen:
    """One stream, as far as it was read."""

    begins: int
    head: Head
    recent: "OrderedDict[int, str]" = field(default_factory=OrderedDict)
    holes: list[_Hole] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Record:
    stream: str
    first: int
    last: int
    chained: bool
    """It has a `prev` at all; records of appliances before the chain have none."""
    prev: str | None
    link: str
    digest: str
    is_gap: bool


class Verifier:
    """Records in, findings out. Memory: some 100 KB a stream at most. One thread."""

    def __init__(self) -> None:
        self.records = 0
        """Read and understood, those that came twice included."""
        self.repeated = 0
        """Came again, byte for byte or too long after to tell."""
        self.unchained = 0
        """Without `prev`: recorded before the chain existed. Nothing is said about changes in them."""
        self.gaps = 0
        """Numbers that are named as lost."""
        self._lines = 0
        self._streams: dict[str, _Seen] = {}

    @property
    def heads(self) -> Mapping[str, Head]:
        """By stream: the newest record that was read."""
        return {stream: seen.head for stream, seen in self._streams.items()}

    @property
    def begins(self) -> Mapping[str, int]:
        """By stream: the first number that was read. What was before it is not looked for."""
        return {stream: seen.begins for stream, seen in self._streams.items()}

    def add(self, payload: bytes) -> Iterator[Finding]:
        """The next record, in any order that subscribers may see; holes wait for end(), they may yet be filled."""
        self._lines += 1
        record = _read(as_recorded(payload))
        if record is None:
            yield Finding(
                Kind.UNREADABLE, None, self._lines, self._lines, f"Line {self._lines} is no result and no gap message."
            )
            return
        self.records += 1
        self.unchained += not record.chained
        seen = self._streams.get(record.stream)
        if seen is None:
            yield from self._begin(record)
        elif record.last > seen.head.sequence:
            yield from self._go_on(seen, record)
        else:
            yield from self._look_back(seen, record)

    def end(self, heads: Mapping[str, Head] | None = None) -> Iterator[Finding]:
        """What is missing after all; `heads`: how far each stream came on the box, where that is known."""
        for stream, seen in self._streams.items():
            for hole in seen.holes:
                yield _missing(stream, hole.first, hole.last)
            wanted = None if heads is None else heads.get(stream)
            if wanted is None:
                continue
            if wanted.sequence > seen.head.sequence:
                yield _missing(stream, seen.head.sequence + 1, wanted.sequence)
            elif wanted.sequence == seen.head.sequence and _differ(wanted.link, seen.head.link):
                n = wanted.sequence
                message = f"Number {n} of stream {stream} is not the record that the box wrote last."
                yield Finding(Kind.ALTERED, stream, n, n, message)

    def _begin(self, record: _Record) -> Iterator[Finding]:
        self._streams[record.stream] = seen = _Seen(record.first, Head(record.last, record.link))
        self._note(seen, record)
        if record.first <= 1 and record.chained and record.prev is not None:
            message = f"Number 1 of stream {record.stream} names a record before it, and there can be none."
            yield Finding(Kind.BROKEN_LINK, record.stream, record.first, record.last, message)

    def _go_on(self, seen: _Seen, record: _Record) -> Iterator[Finding]:
        head = seen.head
        if record.first > head.sequence + 1:
            if len(seen.holes) >= _HOLES_MAX:
                oldest = seen.holes.pop(0)
                yield _missing(record.stream, oldest.first, oldest.last)
            seen.holes.append(
                _Hole(head.sequence + 1, record.first - 1, head.link, record.prev if record.chained else None)
            )
        elif record.first == head.sequence + 1 and _breaks(record, head):
            yield _broken(record.stream, head.sequence, record.first)
        # A gap message that begins further back covers records that were heard before they were given up.
        yield from self._fill(seen, record)
        seen.head = Head(record.last, record.link)
        self._note(seen, record)

    def _look_back(self, seen: _Seen, record: _Record) -> Iterator[Finding]:
        if any(_overlap(hole, record) for hole in seen.holes):
            yield from self._fill(seen, record)
            self._note(seen, record)
            return
        self.repeated += 1
        known = seen.recent.get(record.first)
        if known is not None and known != record.digest and not record.is_gap:
            message = f"Number {record.first} of stream {record.stream} stands for two different records."
            yield Finding(Kind.CONTRADICTION, record.stream, record.first, record.last, message)

    def _fill(self, seen: _Seen, record: _Record) -> Iterator[Finding]:
        """What was missing until now, and is of this record: one hole, or several of a gap message."""
        holes: list[_Hole] = []
        for hole in seen.holes:
            if not _overlap(hole, record):
                holes.append(hole)
                continue
            if record.first == hole.first and record.chained and _differ(record.prev, hole.before):
                yield _broken(record.stream, hole.first - 1, record.first)
            if record.last == hole.last and _differ(record.link, hole.after):
                yield _broken(record.stream, record.last, hole.last + 1)
            left = [
                _Hole(hole.first, record.first - 1, hole.before, record.prev),
                _Hole(record.last + 1, hole.last, record.link, hole.after),
            ]
            holes += [one for one in left if one.first <= one.last]
        seen.holes = holes

    def _note(self, seen: _Seen, record: _Record) -> None:
        if record.is_gap:
            self.gaps += record.last - record.first + 1
            return
        seen.recent[record.first] = record.digest
        if len(seen.recent) > _REMEMBERED:
            seen.recent.popitem(last=False)


def verify(payloads: Iterable[bytes], heads: Mapping[str, Head] | None = None) -> Iterator[Finding]:
    """Everything that is wrong with these records, of one stream or of several, in the order they came."""
    verifier = Verifier()
    for payload in payloads:
        yield from verifier.add(payload)
    yield from verifier.end(heads)


def _overlap(hole: _Hole, record: _Record) -> bool:
    return hole.first <= record.last and record.first <= hole.last


def _breaks(record: _Record, head: Head) -> bool:
    """What damage took may have been the only one to know the record before it: a gap message may not name one."""
    return record.chained and _differ(record.prev, head.link, strictly=not record.is_gap)


def _differ(one: str | None, other: str | None, *, strictly: bool = False) -> bool:
    """Whether two links contradict; `strictly`: a missing first one does so too."""
    if other is None:
        return False
    return one != other if strictly else one is not None and one != other


def _missing(stream: str, first: int, last: int) -> Finding:
    what = f"Number {first}" if first == last else f"The numbers {first} to {last}"
    verb = "is" if first == last else "are"
    return Finding(
        Kind.MISSING, stream, first, last, f"{what} of stream {stream} {verb} missing, and no gap message says so."
    )


def _broken(stream: str, before: int, after: int) -> Finding:
    message = (
        f"The chain of stream {stream} is broken between the numbers {before} and {after}: "
        "one of the two is not what was recorded."
    )
    return Finding(Kind.BROKEN_LINK, stream, before, after, message)


def _read(payload: bytes) -> _Record | None:
    fields = _fields(payload)
    stream = fields.get("stream")
    is_gap = "from_sequence" in fields
    first = fields.get("from_sequence" if is_gap else "sequence")
    last = fields.get("to_sequence") if is_gap else first
    prev, replaces = fields.get("prev"), fields.get("replaces")
    if not isinstance(stream, str) or not isinstance(first, int) or not isinstance(last, int):
        return None
    if not 0 <= first <= last < _SEQUENCE_MAX:
        return None
    if not isinstance(prev, str | None) or not isinstance(replaces, str | None):
        return None
    own = digest(payload)
    return _Record(stream, first, last, "prev" in fields, prev, replaces or own, own, is_gap)


def _field(payload: bytes, name: str) -> str | None:
    value = _fields(payload).get(name)
    return value if isinstance(value, str) else None


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
