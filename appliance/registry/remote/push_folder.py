"""Sends packages into a plain folder: a network share, what a web server shows, a USB stick.

`<release>/` is the package; `latest.json`, and `<tag>.json` for each tag, name one as {"release", "path"}.
"""

import errno
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.registry.errors import NoSpace, Refusal, Rejected, Unavailable
from appliance.registry.package.files import RELEASE_FILE, PackageFile
from appliance.registry.package.statement import Statement
from appliance.registry.remote.push import Advance, Pushed
from appliance.registry.remote.push_files import files_to_send
from appliance.registry.remote.reference import Selection

LATEST: Final = "latest"
_CHUNK_BYTES: Final = 1 << 20


class FolderDestination:
    """One folder with packages. One thread; one publisher at a time."""

    def __init__(self, folder: Path, *, tags: Sequence[str]) -> None:
        """Raises: ReferenceUnusable (a tag)."""
        self._folder = folder
        self._tags = tuple(dict.fromkeys((LATEST, *tags)))
        for tag in self._tags:
            Selection(tag=tag)

    def newest_release(self) -> int | None:
        """The highest numbered folder with a statement in it."""
        try:
            found = [int(each.name) for each in self._folder.iterdir() if each.name.isdecimal()]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"{self._folder} cannot be read: {error.strerror}.") from error
        return max(found, default=None)

    def push(self, folder: Path, statement: Statement, advance: Advance) -> Pushed:
        """Copied beside its place, flushed to the disk, renamed; then named."""
        files = files_to_send(folder, statement)
        place = self._folder / str(statement.release)
        try:
            sent = self._place(folder, place, files, advance)
            for tag in self._tags:
                said = {"release": statement.release, "path": str(statement.release)}
                _replace(self._folder / f"{tag}.json", (json.dumps(said) + "\n").encode())
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                need = sum(file.size for file in files)
                raise NoSpace(
                    f"{self._folder} has no room: the package needs {need} bytes; make room there."
                ) from error
            raise Unavailable(f"{self._folder} cannot be written to: {error.strerror}.") from error
        size = sum(file.size for file in files)
        return Pushed(
            reference=str(place),
            source=self._folder.resolve().as_uri() + "/",
            digest=statement.digest,
            bytes_sent=sent,
            bytes_there=size - sent,
            names=tuple(f"{tag}.json" for tag in self._tags),
        )

    def close(self) -> None:
        """Nothing is held."""

    def _place(self, folder: Path, place: Path, files: Sequence[PackageFile], advance: Advance) -> int:
        """Bytes copied: none where the same release is there. Raises: OSError, Rejected where another is."""
        if place.exists():
            if not _same(folder, place):
                raise Rejected(
                    Refusal.VERSION_REUSED,
                    f"{place} is there and is another package; give this one a release of its own (--release next).",
                )
            advance(sum(file.size for file in files))
            return 0
        fresh = self._folder / f".{place.name}.sending"
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            fresh.mkdir(parents=True)
            for file in files:
                _copy(folder / file.path, fresh / file.path, advance)
            for inside in {fresh, *((fresh / file.path).parent for file in files)}:
                _flush(inside)
            fresh.rename(place)
            _flush(self._folder)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        return sum(file.size for file in files)


def _same(folder: Path, place: Path) -> bool:
    try:
        return (folder / RELEASE_FILE).read_bytes() == (place / RELEASE_FILE).read_bytes()
    except OSError:
        return False


def _copy(source: Path, target: Path, advance: Advance) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK_BYTES):
            write.write(chunk)
            advance(len(chunk))
        write.flush()
        os.fsync(write.fileno())


def _replace(file: Path, content: bytes) -> None:
    """Whole or not at all, also after a power cut."""
    fresh = file.with_name(f".{file.name}.fresh")
    with fresh.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)
    _flush(file.parent)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
