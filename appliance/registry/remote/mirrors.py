"""Several places with the same packages: mirrors first, then the source."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final, TypeVar

from appliance.registry.errors import Rejected, Unavailable
from appliance.registry.remote.protocol import Listing, Progress, Remote, RemoteFile, Seen

_log: Final = logging.getLogger(__name__)
_BLOCK: Final = 1 << 20
_T = TypeVar("_T")


class Mirrored:
    """Whichever of several has it. What one of them has not, or has wrong, the next is asked for; the source is last.

    `look` believes the first that answers: a mirror that is a copy made by hand is as new as its last copy. What a
    mirror sent is checked by its digest, where that is known, before the next file is asked for.
    """

    def __init__(self, remotes: Sequence[tuple[str, Remote]]) -> None:
        """`remotes`: each with its name for the log, the source last."""
        self._remotes = tuple(remotes)

    def look(self) -> Seen:
        """As Remote."""
        return self._first(lambda remote: remote.look())

    def list(self, seen: Seen) -> Listing:
        """As Remote."""
        return self._first(lambda remote: remote.list(seen))

    def read(self, file: RemoteFile, max_bytes: int) -> bytes:
        """As Remote."""
        return self._first(lambda remote: remote.read(file, max_bytes))

    def fetch(self, file: RemoteFile, size: int, sink: BinaryIO, progress: Progress) -> None:
        """As Remote. `sink` is emptied where what a mirror sent was wrong; it is read for that, where it can be."""
        *mirrors, (_, source) = self._remotes
        before = sink.tell()
        for name, mirror in mirrors:
            try:
                mirror.fetch(file, size, sink, progress)
            except (Unavailable, Rejected) as error:
                _log.warning("mirror %s: %s", name, error)
                continue
            if _is_whole(file, sink):
                return
            _log.warning("mirror %s: %s came with other bytes than were signed", name, file.path)
            _empty(sink)
            before = 0
        of_mirrors = sink.tell() - before
        source.fetch(file, size, sink, progress)
        if of_mirrors and not _is_whole(file, sink):
            _empty(sink)
            source.fetch(file, size, sink, progress)

    def close(self) -> None:
        """As Remote."""
        for _, remote in self._remotes:
            remote.close()

    def _first(self, ask: Callable[[Remote], _T]) -> _T:
        *mirrors, (_, source) = self._remotes
        for name, mirror in mirrors:
            try:
                return ask(mirror)
            except (Unavailable, Rejected) as error:  # noqa: PERF203 - at most eight
                _log.warning("mirror %s: %s", name, error)
        return ask(source)


def _is_whole(file: RemoteFile, sink: BinaryIO) -> bool:
    """Its digest is the announced one; true where nobody can tell here, as the caller checks it anyway."""
    if file.sha256 is None or not sink.readable():
        return True
    sink.seek(0)
    total = hashlib.sha256()
    while block := sink.read(_BLOCK):
        total.update(block)
    return total.hexdigest() == file.sha256


def _empty(sink: BinaryIO) -> None:
    sink.seek(0)
    sink.truncate()
