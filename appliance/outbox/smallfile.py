"""Small JSON files that are there whole or not at all, also after a power cut."""

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_MAX_BYTES: Final = 1_048_576


def replace(path: Path, content: Mapping[str, Any]) -> None:
    """Put `content` in place of what was at `path`; two fsyncs, so milliseconds. Raises OSError."""
    body = json.dumps(content, separators=(",", ":"))
    staging = path.with_name(f".{path.name}.new")
    with staging.open("w", encoding="utf-8") as file:
        file.write(f"{zlib.crc32(body.encode()):08x} {body}\n")
        file.flush()
        os.fsync(file.fileno())
    staging.rename(path)
    sync_folder(path.parent)


def read(path: Path) -> dict[str, Any] | None:
    """What `replace` put there; None where there is no such file or its checksum fails. Raises OSError."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES)
    except FileNotFoundError:
        return None
    checksum, _, body = raw.rstrip(b"\n").partition(b" ")
    if checksum != f"{zlib.crc32(body):08x}".encode():
        return None
    content: dict[str, Any] = json.loads(body)
    return content


def sync_folder(folder: Path) -> None:
    """Make renames and removals in `folder` last over a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
