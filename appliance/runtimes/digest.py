"""The name of a version's content: one digest over a directory's files, their names and their bytes."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.runtimes.errors import NotASavedModel

BESIDE: Final = frozenset({"release.json", "model.sig"})
"""At a version's top: its release statement and its signature. They are about the content, so not part of it; a version
that is published once more keeps its digest. A package's list of files leaves out the same."""
_CHUNK_BYTES = 8 << 20
"""Large: each takes the interpreter's lock twice, on a thread that may lose the processor while it has it."""


def digest_of(folder: Path) -> str:
    """`sha256:...`: over each file's relative name, length and bytes, in the order of the names' bytes,
    without `BESIDE`.

    Symbolic links are followed for files and refused for folders. About 1 s a GB; other threads run meanwhile.
    Raises: NotASavedModel, OSError.
    """
    total = hashlib.sha256()
    for name, file in sorted(_files(folder)):
        total.update(f"{len(name)}:".encode() + name)
        total.update(f"{file.stat().st_size}:".encode())
        total.update(file_digest(file))
    return f"sha256:{total.hexdigest()}"


def file_digest(file: Path) -> bytes:
    """SHA-256 of one file's bytes."""
    content = hashlib.sha256()
    with file.open("rb", buffering=0) as opened:
        chunk = bytearray(min(_CHUNK_BYTES, max(1, file.stat().st_size)))
        view = memoryview(chunk)
        while count := opened.readinto(chunk):
            content.update(view[:count])
    return content.digest()


def size_of(folder: Path) -> int:
    """Bytes of a directory's files, without `BESIDE`. Raises: NotASavedModel, OSError."""
    return sum(file.stat().st_size for _, file in _files(folder))


def _files(folder: Path) -> Iterator[tuple[bytes, Path]]:
    if not folder.is_dir():
        raise NotASavedModel(f"{folder} is no directory; place the version's files there")
    for place, folders, names in os.walk(folder):
        for name in folders:
            if (Path(place) / name).is_symlink():
                raise NotASavedModel(f"{Path(place) / name} is a link to a folder; put the files themselves there")
        top = Path(place) == folder
        for name in names:
            if top and name in BESIDE:
                continue
            file = Path(place) / name
            yield os.fsencode(file.relative_to(folder).as_posix()), file
