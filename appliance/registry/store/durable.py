"""Files and links that are there whole or not at all, also after a power cut."""

import json
import os
import stat
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

READ_MAX_BYTES: Final = 16 << 20
"""No small file of the store is larger."""

OPEN_FOLDER: Final = 0o755
"""Outside model servers read what lies here, whatever the umask is."""


def write_whole(path: Path, raw: bytes) -> None:
    """Put `raw` in place of what was at `path`; two fsyncs. Whatever fails, no half file stays. Raises OSError."""
    staging = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            write_all(descriptor, raw)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        staging.rename(path)
    except OSError:
        remove_file(staging)
        raise
    sync_folder(path.parent)


def write_all(descriptor: int, raw: bytes) -> None:
    """Every byte, however many calls it takes. Raises OSError."""
    rest = memoryview(raw)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_whole(path: Path) -> bytes | None:
    """A small file; None where there is none. Raises OSError."""
    try:
        with path.open("rb") as file:
            return file.read(READ_MAX_BYTES)
    except FileNotFoundError:
        return None


def seal(content: Mapping[str, Any]) -> bytes:
    """JSON on one line behind its CRC-32."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return f"{zlib.crc32(body):08x} ".encode() + body + b"\n"


def unseal(raw: bytes) -> dict[str, Any] | None:
    """What `seal` closed; None where a byte is another."""
    checksum, _, body = raw.rstrip(b"\n").partition(b" ")
    if checksum != f"{zlib.crc32(body):08x}".encode():
        return None
    content: dict[str, Any] = json.loads(body)
    return content


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed and removed in `folder` last. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """With all above it, readable by others. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
    folder.chmod(OPEN_FOLDER)
    sync_folder(folder.parent)


def names_in(folder: Path) -> list[str]:
    """All entries. Raises OSError."""
    return [entry.name for entry in folder.iterdir()]


def remove_file(path: Path) -> bool:
    """Whether there was one. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def remove_tree(folder: Path) -> None:
    """A folder with all in it; links are not followed. Raises OSError."""
    with os.scandir(folder) as entries:
        found = [(Path(entry.path), entry.is_dir(follow_symlinks=False)) for entry in entries]
    for path, is_folder in found:
        if is_folder:
            remove_tree(path)
        else:
            path.unlink()
    folder.rmdir()


def file_size(path: Path) -> int | None:
    """Bytes of a plain file; None for anything else, and for nothing. Raises OSError."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
