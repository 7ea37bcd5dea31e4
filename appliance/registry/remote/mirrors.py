"""Several places with the same packages: mirrors first, then the source."""

import hashlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final, TypeVar

from appliance.registry.errors import Rejected, Unavailable
from appliance.registry.remote.protocol import Listing, Progress, Remote, RemoteFile, Seen

_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T")


class Mirrored:
    """Whichever of several has it. What one of them has not, or has wrong, the next is asked for; the source is last.

    `look` believes the first that answers: a mirror that is a copy made by hand is as new as its last copy. What a
    mirror sent is checked by its digest, where that is known, before the next file is asked for.
    """

    def __init__(self, remotes: Sequence[tuple[str, Remote]]) -> None:
        """`remotes`: each with its name for the log, the source last."""
        self._remotes = tuple(remotes)
        self._source = self._remotes[-1][1]
        self._resting: set[str] = set()
        """Mirrors that failed since the last look."""
        self._given: set[str] = set()
        """Keys of files that came from a mirror, whole."""

    def look(self) -> Seen:
        """As Remote. Mirrors that failed before are asked again."""
        self._resting.clear()
        return self._first(lambda remote: remote.look())

    def list(self, seen: Seen) -> Listing:
        """As Remote."""
        return self._first(lambda remote: remote.list(seen))

    def read(self, file: RemoteFile, max_bytes: int) -> bytes:
        """As Remote."""
        return self._first(lambda remote: remote.read(file, max_bytes))

    def fetch(self, file: RemoteFile, size: int, sink: BinaryIO, progress: Progress) -> None:
        """As Remote. `sink` is emptied where what a mirror sent was wrong.

        Who asks for the same file once more was not content with it: then the source alone is asked.
        """
        checked = _Checked(sink)
        of_mirrors = False
        for name, mirror in self._mirrors() if file.key not in self._given else ():
            before = sink.tell()
            try:
                mirror.fetch(file, size, checked, progress)
            except (Unavailable, Rejected) as error:
                self._pass_over(name, str(error))
                of_mirrors = of_mirrors or sink.tell() > before
                continue
            if checked.may_be(file.sha256):
                self._given.add(file.key)
                return
            self._pass_over(name, f"{file.path} came with other bytes than were signed")
            checked.empty()
            of_mirrors = False
        self._source.fetch(file, size, checked, progress)
        if of_mirrors and not checked.may_be(file.sha256):
            checked.empty()
            self._source.fetch(file, size, checked, progress)

    def close(self) -> None:
        """As Remote."""
        for _, remote in self._remotes:
            remote.close()

    def _mirrors(self) -> Iterator[tuple[str, Remote]]:
        return (one for one in self._remotes[:-1] if one[0] not in self._resting)

    def _pass_over(self, name: str, why: str) -> None:
        self._resting.add(name)
        _log.warning("mirror %s is passed over: %s", name, why)

    def _first(self, ask: Callable[[Remote], _T]) -> _T:
        for name, mirror in self._mirrors():
            try:
                return ask(mirror)
            except (Unavailable, Rejected) as error:  # noqa: PERF203 - at most eight
                self._pass_over(name, str(error))
        return ask(self._source)


class _Checked(io.RawIOBase, BinaryIO):
    """A sink that hashes what passes into it, from the first byte on."""

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__()
        self._sink = sink
        self._from_start = sink.tell() == 0
        self._total = hashlib.sha256()

    def write(self, data: Any, /) -> int:
        count = self._sink.write(data)
        self._total.update(memoryview(data)[:count])
        return count

    def tell(self) -> int:
        return self._sink.tell()

    def flush(self) -> None:
        self._sink.flush()

    def may_be(self, sha256: str | None) -> bool:
        """Not known to be another; the part that was here before cannot be told."""
        return sha256 is None or not self._from_start or self._total.hexdigest() == sha256

    def empty(self) -> None:
        self._sink.seek(0)
        self._sink.truncate()
        self._from_start = True
        self._total = hashlib.sha256()
