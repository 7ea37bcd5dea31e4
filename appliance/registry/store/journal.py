"""What delivery is about to do, written before it is done."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appliance.registry.errors import StoreError
from appliance.registry.store.ballast import Ballast
from appliance.registry.store.durable import names_in, read_whole, remove_file, seal, sync_folder, unseal, write_whole
from appliance.registry.store.space import explained

_NAME: Final = re.compile(r"[a-z0-9_-]{1,64}")
_MAX_BYTES: Final = 1 << 20
_HISTORY: Final = "history"
_HISTORY_MAX: Final = 50


class Journal:
    """Small JSON files, each there whole or not at all, also after a power cut; and the deployments that ended.

    One thread at a time. Two fsyncs a save. On a full disk the ballast is let go, so that a save still succeeds.
    """

    def __init__(self, folder: Path, ballast: Ballast) -> None:
        self.folder = folder
        self._ballast = ballast
        self._damaged: set[str] = set()

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """Put `content` (at most 1 MB as JSON) in place of what `name` had. Raises NoSpace, StoreError."""
        raw = seal(content)
        if len(raw) > _MAX_BYTES:
            raise StoreError(f"{name} has {len(raw)} bytes and the journal takes {_MAX_BYTES}; shorten its reports")
        path = self._path(name)
        with explained(f"write {path.name}", self.folder):
            self._ballast.written(lambda: write_whole(path, raw))
        self._damaged.discard(name)

    def load(self, name: str) -> dict[str, Any] | None:
        """What was saved last; None where nothing was, or its checksum fails (then `trouble` says so)."""
        path = self._path(name)
        with explained(f"read {path.name}", self.folder):
            raw = read_whole(path)
        content = unseal(raw) if raw is not None else None
        if raw is not None and content is None:
            self._damaged.add(name)
        return content

    def erase(self, name: str) -> None:
        """Forget it. Raises StoreError."""
        path = self._path(name)
        with explained(f"remove {path.name}", self.folder):
            if remove_file(path):
                sync_folder(self.folder)

    def archive(self, ended: Mapping[str, Any]) -> None:
        """Add a deployment that is over to the history; one with the same `id` is replaced. The newest 50 stay.

        Fewer where their reports are long. Raises NoSpace, StoreError.
        """
        others = [one for one in self.history() if one.get("id") != ended["id"]]
        entries = [dict(ended), *others][:_HISTORY_MAX]
        while len(entries) > 1 and len(seal({"ended": entries})) > _MAX_BYTES:
            entries.pop()
        self.save(_HISTORY, {"ended": entries})

    def history(self, limit: int = _HISTORY_MAX) -> list[dict[str, Any]]:
        """Deployments that are over, newest first."""
        entries: list[dict[str, Any]] = (self.load(_HISTORY) or {"ended": []})["ended"]
        return entries[:limit]

    def trouble(self) -> str | None:
        """A sentence where files could not be read since the start."""
        if not self._damaged:
            return None
        names = ", ".join(sorted(self._damaged))
        return f"the journal in {self.folder} was damaged ({names}) and begins anew; look after the disk"

    def sweep(self) -> None:
        """Remove what a kill left half written. Raises OSError."""
        for name in names_in(self.folder):
            if name.endswith(".new"):
                remove_file(self.folder / name)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise RuntimeError(f"{name!r} is no name for a file of the journal")
        return self.folder / f"{name}.json"
