"""How far the broker has acknowledged: written by the gateway alone, read by both sides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.outbox import smallfile

FILE_NAME: Final = "watermark.json"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Every row up to `row` is in the broker's hands."""

    row: int = 0
    sequences: Mapping[str, int] = field(default_factory=dict)
    """stream -> the last of its numbers that the broker has."""
    damaged_in: str | None = None
    """The file in which the gateway found a row that is not what was written; its writer has to rebuild it."""


def read(folder: Path) -> Acknowledged:
    """What the gateway wrote last; nothing acknowledged where there is no such file. Raises OSError."""
    content = smallfile.read(folder / FILE_NAME)
    if content is None:
        return Acknowledged()
    return Acknowledged(content.get("row", 0), content.get("sequences", {}), content.get("damaged_in"))


def changed_ns(folder: Path) -> int | None:
    """When the file was written last, to tell whether it has to be read again; None without one. Raises OSError."""
    try:
        return (folder / FILE_NAME).stat().st_mtime_ns
    except FileNotFoundError:
        return None
