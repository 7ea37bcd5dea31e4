"""Who changed what, when, and from where."""

import json
import os
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from appliance.registry.store.ballast import Ballast
from appliance.registry.store.durable import file_size, sync_folder, write_all
from appliance.registry.store.space import explained

_FILE_MAX_BYTES: Final = 1 << 20
_FILES_MAX: Final = 5
_TEXT_MAX: Final = 500


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Audit:
    """JSON lines, on the disk before `append` returns; the oldest go when five files of 1 MB are full. Any thread."""

    def __init__(
        self, file: Path, ballast: Ballast, *, now: Callable[[], str] = _now, file_max_bytes: int = _FILE_MAX_BYTES
    ) -> None:
        """`now` tells the moment in RFC 3339, UTC."""
        self.file = file
        self._ballast = ballast
        self._now = now
        self._file_max_bytes = file_max_bytes
        self._appending = threading.Lock()

    def append(self, who: str, source: str, verb: str, model: str, **detail: Any) -> None:
        """One line; one fsync. Long texts are cut at 500 characters. Raises NoSpace, StoreError."""
        entry = {"at": self._now(), "who": who, "source": source, "verb": verb, "model": model, **detail}
        raw = json.dumps({key: _cut(value) for key, value in entry.items()}, ensure_ascii=False).encode() + b"\n"
        with self._appending, explained(f"write {self.file.name}", self.file.parent):
            self._ballast.written(lambda: self._append(raw))

    def read(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest lines, newest first. Lines that a power cut tore are left out. Raises StoreError."""
        found: list[dict[str, Any]] = []
        for number in range(_FILES_MAX):
            with explained(f"read {self.file.name}", self.file.parent):
                lines = self._lines(number)
            found += [entry for line in reversed(lines) if (entry := _entry(line)) is not None]
            if len(found) >= limit:
                break
        return found[:limit]

    def _append(self, raw: bytes) -> None:
        if (file_size(self.file) or 0) + len(raw) > self._file_max_bytes:
            self._rotate()
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            before = os.fstat(descriptor).st_size
            if before == 0:
                sync_folder(self.file.parent)
            elif os.pread(descriptor, 1, before - 1) != b"\n":
                raw = b"\n" + raw  # the line before was torn
            try:
                write_all(descriptor, raw)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)

    def _rotate(self) -> None:
        for number in range(_FILES_MAX - 2, -1, -1):
            if self._numbered(number).exists():
                self._numbered(number).rename(self._numbered(number + 1))

    def _numbered(self, number: int) -> Path:
        return self.file.with_name(f"{self.file.name}.{number}") if number else self.file

    def _lines(self, number: int) -> list[bytes]:
        try:
            return self._numbered(number).read_bytes().splitlines()
        except FileNotFoundError:
            return []


def _cut(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= _TEXT_MAX else f"{text[: _TEXT_MAX - 1]}…"


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
