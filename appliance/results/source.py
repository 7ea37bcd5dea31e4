"""Where results are read from: this box's outbox, a copied one, or a file of JSON lines."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from appliance.outbox.history import Selection
from appliance.results.help import CONFIG
from appliance.results.message import Source


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
