"""What delivery is about to do, written before it is done."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Journal:
    """Small JSON files, each there whole or not at all, also after a power cut; and the deployments that ended.

    One thread at a time. Two fsyncs a save. On a full disk the ballast is let go, so that a save still succeeds.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """Put `content` (at most 1 MB as JSON) in place of what `name` had. Raises NoSpace, StoreError."""
        raise NotImplementedError

    def load(self, name: str) -> dict[str, Any] | None:
        """What was saved last; None where nothing was, or its checksum fails (then `troubles` says so)."""
        raise NotImplementedError

    def erase(self, name: str) -> None:
        """Forget it."""
        raise NotImplementedError

    def archive(self, ended: Mapping[str, Any]) -> None:
        """Add a deployment that is over to the history; one with the same `id` is replaced. The newest 50 stay."""
        raise NotImplementedError

    def history(self, limit: int = 50) -> list[dict[str, Any]]:
        """Deployments that are over, newest first."""
        raise NotImplementedError
