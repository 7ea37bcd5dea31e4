"""Files below a folder of this box: a USB stick, a network share. Links are refused wherever they lead."""

import errno
import io
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.remote.copying import copy_bytes
from appliance.registry.remote.pace import RateLimiter
from appliance.registry.remote.protocol import Progress

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_IS_LINK: Final = frozenset({errno.ELOOP, errno.ENOTDIR})


class DiskFiles:
    """As folder.Files. A network share that hangs holds its reader: the kernel gives no limit to a file's read."""

    def __init__(self, folder: Path, limiter: RateLimiter | None = None) -> None:
        """`folder` itself may be a link, as places of mounts are."""
        self._folder = folder
        self._limiter = limiter

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """As Files."""
        with self._opened(path) as file:
            if file is None:
                return None
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise Rejected(Refusal.TOO_LARGE, f"{self._folder / path} is longer than {max_bytes} bytes.")
        return content

    def size(self, path: str) -> int | None:
        """As Files."""
        with self._opened(path) as file:
            return None if file is None else file.size

    def fetch(self, path: str, size: int, sink: BinaryIO, progress: Progress) -> None:
        """As Files."""
        with self._opened(path) as file:
            if file is None:
                raise Rejected(Refusal.MISSING_FILE, f"{self._folder / path} is not there; publish the package again.")
            if file.size != size:
                raise Rejected(
                    Refusal.TOO_LARGE if file.size > size else Refusal.CONTENT,
                    f"{self._folder / path} has {file.size} bytes where {size} were signed; publish the package again.",
                )
            copy_bytes(file, 0, size, sink, progress, self._limiter)

    def close(self) -> None:
        """As Files."""

    @contextmanager
    def _opened(self, path: str) -> Generator["_Source | None"]:
        """The plain file; None where there is none, and its folder is there."""
        descriptor = self._open(path)
        if descriptor is None:
            yield None
            return
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise Rejected(Refusal.LINK, f"{self._folder / path} is no plain file; packages hold nothing else.")
            yield _Source(file, self._folder / path, about.st_size)

    def _open(self, path: str) -> int | None:
        *levels, name = path.split("/")
        try:
            folder = os.open(self._folder, _FOLDER)
        except OSError as error:
            raise Unavailable(f"{self._folder} cannot be read: {error.strerror}; is it mounted?") from error
        try:
            for level in levels:
                below = os.open(level, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = below
            return os.open(name, _FILE, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in _IS_LINK:
                raise Rejected(
                    Refusal.LINK, f"{self._folder / path} is, or lies behind, a link; packages hold plain files."
                ) from error
            raise Unavailable(f"{self._folder / path} cannot be read: {error.strerror}.") from error
        finally:
            os.close(folder)


class _Source:
    """A file whose errors are ours: a stick that is pulled, a share that is gone. Those of the copy are not."""

    def __init__(self, file: io.RawIOBase, path: Path, size: int) -> None:
        self._file = file
        self._path = path
        self.size = size

    def read(self, count: int, /) -> bytes:
        try:
            return self._file.read(count) or b""
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be read any more: {error.strerror}.") from error

    def seek(self, offset: int, /) -> int:
        return self._file.seek(offset)
