"""Where results are read from: this box's outbox, a copied one, or a file of JSON lines."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from appliance.outbox.history import Selection
from appliance.results.help import CONFIG


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was recorded."""

    row: int
    """In the outbox; a line's number in a file."""
    camera: str | None
    """None only of a gap in a file, in front of its stream's first result."""
    topic: str
    stream: str
    sequence: int
    """A gap's first number."""
    through: int
    """A gap's last number; otherwise the same as `sequence`."""
    at_utc_ns: int
    """When it was recorded; in a file, of the exposure. Nanoseconds since 1970."""
    fields: dict[str, Any]
    payload: bytes


class Source(Protocol):
    """One thread."""

    @property
    def name(self) -> str:
        """As a sentence has it."""

    @property
    def damaged(self) -> int:
        """Messages met until now that are not what was written, and left out."""

    def about(self) -> int | None:
        """How many messages there are, for whoever waits; None where that is not known."""

    def every(self, selection: Selection) -> Iterator[Message]:
        """In the order of recording; the memory that is needed does not grow. Raises: ResultsError, OutboxError."""

    def close(self) -> None:
        """Let go of it; may be called twice."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which results are asked for, by what stands in them; gaps have none of it. Empty: all."""

    verdict: str | None = None
    evaluations: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    recipe: str | None = None
    part: str | None = None

    @property
    def is_all(self) -> bool:
        """Nothing is left out."""
        return self == Wanted()

    def takes(self, fields: dict[str, Any]) -> bool:
        """Whether it is one of them."""
        return (
            (self.verdict is None or fields.get("verdict") == self.verdict)
            and (not self.evaluations or fields.get("evaluation") in self.evaluations)
            and (not self.reasons or fields.get("reason") in self.reasons)
            and (self.recipe is None or fields.get("recipe_id") == self.recipe)
            and (self.part is None or fields.get("part_id") == self.part)
        )


def selection(options: argparse.Namespace) -> Selection:
    """What the outbox's own columns can say, of the command line's options."""
    found = {
        "camera": options.camera,
        "stream": options.stream,
        "from_sequence": options.from_sequence,
        "to_sequence": options.to_sequence,
    }
    spans = {"since_utc_ns": getattr(options, "since", None), "until_utc_ns": getattr(options, "until", None)}
    return replace(Selection(), **found, **spans)


def wanted(options: argparse.Namespace) -> Wanted:
    """What only the messages themselves can say."""
    return Wanted(
        options.verdict,
        frozenset(options.evaluation or ()),
        frozenset(options.reason or ()),
        options.recipe,
        options.part,
    )


def outbox_folder(options: argparse.Namespace) -> Path:
    """The folder that the options name. Raises: ConfigError, ResultsError."""
    from appliance.results.folder import of_config, of_copy

    return of_config(options.config or CONFIG) if options.outbox is None else of_copy(options.outbox)


def open_source(options: argparse.Namespace) -> Source:
    """What the options name. Raises: ConfigError, ResultsError."""
    file = getattr(options, "file", None)
    if file is not None:
        from appliance.results.lines import LinesFile

        return LinesFile(file)
    from appliance.results.recorded import RecordedRows

    return RecordedRows(outbox_folder(options))
