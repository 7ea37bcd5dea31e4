"""A package's folder: which files lie in it, and their digests. Links are never followed."""

import hashlib
import os
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.files import BESIDE, FILES_MAX, PackageFile
from appliance.registry.package.paths import check_path, check_paths, shown

_CHUNK_BYTES: Final = 1 << 20
_PARALLEL_FROM_BYTES: Final = 8 << 20
"""Below, starting threads costs more than it saves."""
_THREADS_MAX: Final = 4
_ENTRIES_MAX: Final = 2 * FILES_MAX
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def list_folder(folder: Path) -> dict[str, int]:
    """Every file's relative path and size, without following links; empty folders do not count.

    Raises: Rejected(LINK) for links, devices, pipes and sockets, Rejected(PATH) for names that cannot be stored
    everywhere, Rejected(NOT_A_PACKAGE) where it is no folder or has too many files, OSError.
    """
    try:
        descriptor = os.open(folder, _FOLDER)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Rejected(Refusal.NOT_A_PACKAGE, f"{folder} is no folder; name one that holds a SavedModel.") from error
    found: dict[str, int] = {}
    _walk(descriptor, "", found, [0])
    if len(found) > FILES_MAX + len(BESIDE):
        raise Rejected(Refusal.NOT_A_PACKAGE, f"{folder} has {len(found)} files; a package has {FILES_MAX} at most.")
    check_paths(found)
    return found


def hash_files(folder: Path, sizes: Mapping[str, int]) -> tuple[PackageFile, ...]:
    """SHA-256 of the named files, in the order of their paths' bytes; some threads share the work where it pays.

    Holds the interpreter's lock for microseconds a chunk. Raises: Rejected(CONTENT) where a size is another,
    Rejected(LINK), Rejected(MISSING_FILE), OSError.
    """
    names = sorted(sizes, key=lambda name: -sizes[name])  # the largest first: nobody waits for it at the end
    threads = min(_THREADS_MAX, len(os.sched_getaffinity(0)), len(names))
    if threads < 2 or sum(sizes.values()) < _PARALLEL_FROM_BYTES:
        files = [_hashed(folder, name, sizes[name]) for name in names]
    else:
        with ThreadPoolExecutor(threads, "hashing") as pool:
            files = list(pool.map(lambda name: _hashed(folder, name, sizes[name]), names))
    return tuple(sorted(files, key=lambda file: file.path.encode()))


def read_small(folder: Path, name: str, max_bytes: int) -> bytes:
    """One file of `folder`, whole. Raises: Rejected(TOO_LARGE, LINK, MISSING_FILE), OSError."""
    with os.fdopen(open_file(folder, name), "rb") as opened:
        content = opened.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise Rejected(Refusal.TOO_LARGE, f"{folder / name} is longer than {max_bytes} bytes.")
    return content


def _walk(descriptor: int, above: str, found: dict[str, int], entries: list[int]) -> None:
    """By descriptors, so that nobody can put a link where a folder was. Closes `descriptor`."""
    try:
        with os.scandir(descriptor) as listing:
            for entry in listing:
                path = above + entry.name
                entries[0] += 1
                if entries[0] > _ENTRIES_MAX:
                    raise Rejected(
                        Refusal.NOT_A_PACKAGE, f"The package has more than {_ENTRIES_MAX} files and folders."
                    )
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    check_path(path)
                    inner = os.open(entry.name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                    _walk(inner, f"{path}/", found, entries)
                elif stat.S_ISREG(status.st_mode):
                    found[path] = status.st_size
                else:
                    raise _not_plain(path)
    finally:
        os.close(descriptor)


def _hashed(folder: Path, name: str, size: int) -> PackageFile:
    digest = hashlib.sha256()
    chunk = bytearray(min(_CHUNK_BYTES, size + 1))
    view, left = memoryview(chunk), size
    with os.fdopen(open_file(folder, name), "rb", buffering=0) as opened:
        while left >= 0 and (count := opened.readinto(chunk)):
            digest.update(view[:count])
            left -= count
    if left:
        raise Rejected(Refusal.CONTENT, f"{shown(name)} has another size than the {size} bytes announced.")
    return PackageFile(name, size, digest.hexdigest())


def open_file(folder: Path, name: str) -> int:
    """A descriptor for reading a plain file; the caller closes it. Raises: Rejected(LINK, MISSING_FILE), OSError."""
    try:
        descriptor = os.open(folder / name, _FILE)
    except FileNotFoundError as error:
        raise Rejected(Refusal.MISSING_FILE, f"{folder} has no {shown(name)}.") from error
    except OSError as error:
        if (folder / name).is_symlink():
            raise _not_plain(name) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_plain(name)
    return descriptor


def _not_plain(path: str) -> Rejected:
    return Rejected(
        Refusal.LINK, f"{shown(path)} is a link, a pipe or a device; a package holds plain files. Put the file there."
    )
