"""Who changed what, when, and from where."""

from pathlib import Path
from typing import Any


class Audit:
    """JSON lines, on the disk before `append` returns; the oldest go when five files of 1 MB are full. Any thread."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def append(self, who: str, source: str, verb: str, model: str, **detail: Any) -> None:
        """One line; one fsync. Long texts are cut at 500 characters. Raises NoSpace, StoreError."""
        raise NotImplementedError

    def read(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest lines, newest first. Lines that a power cut tore are left out."""
        raise NotImplementedError
