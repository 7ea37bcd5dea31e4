"""What a check says: one sentence, and whether it keeps the camera from working."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Level(enum.Enum):
    """How bad."""

    WELL = "well"
    NOTE = "note"
    """Worth knowing; the line can run."""
    WRONG = "wrong"
    """Parts would be missed or judged wrongly."""

    @property
    def mark(self) -> str:
        """As it is printed."""
        return {"well": "✓", "note": "!", "wrong": "✗"}[self.value]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    """In a word or two: "socket buffer"."""
    level: Level
    sentence: str
    """What is, and where it is not well: what to do."""


def well(what: str, sentence: str) -> Finding:
    """It is as it should be."""
    return Finding(what, Level.WELL, sentence)


def note(what: str, sentence: str) -> Finding:
    """Worth knowing."""
    return Finding(what, Level.NOTE, sentence)


def wrong(what: str, sentence: str) -> Finding:
    """To be repaired."""
    return Finding(what, Level.WRONG, sentence)


def worst(findings: Iterable[Finding]) -> Level:
    """WELL where there are none."""
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.WELL)
