"""`appliance results verify`: whether every number is there, and nothing was changed since."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.outbox.chain import Finding, Kind, Verifier, as_recorded, digest
from appliance.outbox.history import Selection
from appliance.results.errors import ResultsError
from appliance.results.lines import LinesFile
from appliance.results.recorded import RecordedRows
from appliance.results.source import outbox_folder, selection
from appliance.results.terminal import GREEN, RED, HowFar, clean, coloured, count, of, pipe_may_end, table

_FINDINGS_MAX: Final = 1000
"""Told one by one; of more, how many."""
_RIGHT: Final = frozenset({"first", "last", "results", "lost"})


@dataclass(slots=True)
class _Stream:
    camera: str | None = None
    results: int = 0
    lost: int = 0
    """Numbers that gaps name."""


@dataclass(slots=True)
class _Verified:
    """What was read, and what is wrong with it."""

    source: str
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    streams: dict[str, _Stream] = field(default_factory=dict)
    expected: dict[str, tuple[str, int] | None] = field(default_factory=dict)
    """Digest that somebody noted -> stream and number of the message that has it."""
    verifier: Verifier = field(default_factory=Verifier)
    damaged: int = 0

    def found(self, findings: Iterable[Finding]) -> None:
        for one in findings:
            if len(self.findings) < _FINDINGS_MAX:
                self.findings.append(one)
            else:
                self.more += 1

    @property
    def sentences(self) -> list[str]:
        """All findings, for a person."""
        said = [one.message for one in self.findings]
        if self.more:
            said.append(f"And {count(self.more)} more.")
        if self.damaged:
            said.append(
                f"Not what was written: {of(self.damaged, 'row')} of the file; the disk fails, or somebody edited it."
            )
        said += [
            f"No message has the digest {wanted}, that somebody noted."
            for wanted, place in self.expected.items()
            if place is None
        ]
        return said


def verify(options: argparse.Namespace) -> int:
    """Exit code 1 where anything is found. Raises: ResultsError, OutboxError, ConfigError."""
    if options.file is not None and (options.config is not None or options.outbox is not None):
        raise ResultsError("Name a FILE, or the box with --config or --outbox, and not both.")
    found = _of_file(options) if options.file is not None else _of_box(options)
    with pipe_may_end():
        sys.stdout.write(json.dumps(_as_json(found), ensure_ascii=False) + "\n" if options.json else _text(found))
    return 1 if found.sentences else 0


def _of_file(options: argparse.Namespace) -> _Verified:
    chosen = selection(options)
    with closing(LinesFile(options.file)) as file:
        found = _Verified(file.name, expected=dict.fromkeys(options.expect))
        progress = HowFar("messages", file.about())
        cameras: dict[str, str] = {}
        payloads = (line for _, line in file.lines())
        _read(found, (one for one in payloads if _is_asked_for(one, chosen, cameras)), progress)
        found.found(found.verifier.end())
    return found


def _of_box(options: argparse.Namespace) -> _Verified:
    chosen = selection(options)
    with closing(RecordedRows(outbox_folder(options))) as rows:
        found = _Verified(rows.name, expected=dict.fromkeys(options.expect))
        heads = rows.history.heads() if chosen.to_sequence is None else None
        _read(found, (kept.row.payload for kept in rows.history.every(chosen)), HowFar("messages", rows.about()))
        found.found(found.verifier.end(heads))
        found.damaged = rows.damaged
    return found


def _read(found: _Verified, payloads: Iterable[bytes], progress: HowFar) -> None:
    for payload in payloads:
        found.found(found.verifier.add(payload))
        progress.at(found.verifier.records)
        _note(found, payload)
    progress.done()


def _note(found: _Verified, payload: bytes) -> None:
    fields = _fields(payload)
    name = fields.get("stream")
    if not isinstance(name, str):
        return  # the verifier said so
    stream = found.streams.setdefault(name, _Stream())
    if "from_sequence" in fields:
        sequence = fields.get("to_sequence")
        stream.lost += _span(fields)
    else:
        sequence = fields.get("sequence")
        stream.results += 1
        stream.camera = str(fields.get("camera"))
    if found.expected and isinstance(sequence, int):
        for own in (digest(as_recorded(payload)), str(fields.get("replaces"))):
            if own in found.expected:
                found.expected[own] = (name, sequence)


def _span(fields: Mapping[str, Any]) -> int:
    first, last = fields.get("from_sequence"), fields.get("to_sequence")
    return last - first + 1 if isinstance(first, int) and isinstance(last, int) else 0


def _is_asked_for(payload: bytes, chosen: Selection, cameras: dict[str, str]) -> bool:
    """A line that cannot be read always is: the verifier says what it is."""
    if chosen == Selection():
        return True
    fields = _fields(payload)
    stream = str(fields.get("stream"))
    camera = cameras.setdefault(stream, str(fields["camera"])) if "camera" in fields else cameras.get(stream)
    first, last = (fields.get(f"{end}_sequence", fields.get("sequence")) for end in ("from", "to"))
    if not isinstance(first, int) or not isinstance(last, int):
        return True
    return (
        (chosen.camera is None or camera == chosen.camera)
        and (chosen.stream is None or stream == chosen.stream)
        and (chosen.from_sequence is None or last >= chosen.from_sequence)
        and (chosen.to_sequence is None or first <= chosen.to_sequence)
    )


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _text(found: _Verified) -> str:
    return "\n\n".join(_blocks(found)) + "\n"


def _blocks(found: _Verified) -> Iterator[str]:
    verifier = found.verifier
    if not verifier.records:
        yield f"There are no messages in {found.source} that are asked for."
    else:
        rows = [
            [
                clean(one.camera or "-"),
                stream,
                str(verifier.begins[stream]),
                str(verifier.heads[stream].sequence),
                count(one.results),
                count(one.lost),
                verifier.heads[stream].link or "-",
            ]
            for stream, one in found.streams.items()
            if stream in verifier.heads
        ]
        yield table(["camera", "stream", "first", "last", "results", "lost", "digest of the last"], rows, _RIGHT)
    for wanted, place in found.expected.items():
        if place is not None:
            yield f"{wanted} is number {place[1]} of stream {place[0]}."
    sentences = found.sentences
    if sentences:
        yield "\n".join(coloured(f"✗ {clean(sentence)}", RED, sys.stdout) for sentence in sentences)
    if verifier.records:
        yield _verdict(found, sentences)


def _verdict(found: _Verified, sentences: list[str]) -> str:
    verifier = found.verifier
    lost = f" but {of(verifier.gaps, 'number')} that gap messages name" if verifier.gaps else ""
    said = []
    if not sentences:
        unchanged = ", and nothing was changed since it was recorded" if verifier.unchained < verifier.records else ""
        well = coloured("✓ Nothing is missing", GREEN, sys.stdout)
        said.append(f"{well}{lost}{unchanged}, between the first and the last of each stream.")
    elif verifier.gaps:
        said.append(f"Lost, and named by gap messages: {of(verifier.gaps, 'number')}.")
    if verifier.unchained:
        said.append(
            f"From before the chain: {of(verifier.unchained, 'message')}; whether they were changed cannot be told."
        )
    if verifier.repeated:
        said.append(f"Came more than once: {of(verifier.repeated, 'message')}.")
    return "\n".join(said)


def _as_json(found: _Verified) -> dict[str, Any]:
    verifier = found.verifier
    kinds = Counter(one.kind.value for one in found.findings)
    return {
        "source": found.source,
        "is_well": not found.sentences,
        "messages": verifier.records,
        "repeated": verifier.repeated,
        "unchained": verifier.unchained,
        "lost": verifier.gaps,
        "damaged_rows": found.damaged,
        "streams": [
            {
                "camera": one.camera,
                "stream": stream,
                "first": verifier.begins[stream],
                "last": verifier.heads[stream].sequence,
                "results": one.results,
                "lost": one.lost,
                "digest": verifier.heads[stream].link,
            }
            for stream, one in found.streams.items()
            if stream in verifier.heads
        ],
        "expected": [
            {"digest": wanted, "stream": place and place[0], "sequence": place and place[1]}
            for wanted, place in found.expected.items()
        ],
        "found": {kind.value: kinds[kind.value] for kind in Kind},
        "findings": [
            {
                "kind": one.kind.value,
                "stream": one.stream,
                "from_sequence": one.first,
                "to_sequence": one.last,
                "message": one.message,
            }
            for one in found.findings
        ],
        "more_findings": found.more,
    }
