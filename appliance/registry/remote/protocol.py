"""What every place for packages offers to the box: look, list, read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found."""

    identity: str
    """Names exactly what lies there now: a manifest's digest, a statement's SHA-256. The same: nothing new."""
    reference: str
    """Where it was found, for people; names a digest where the place has any. Without credentials."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a package, as the place lists it. The statement says what of it is true."""

    path: str
    size: int
    sha256: str | None
    """None where the place says nothing of it (a plain folder): then the statement does."""
    key: str
    """How the place itself names it: a blob's digest, a path."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies there, at one identity."""

    seen: Seen
    files: tuple[RemoteFile, ...]
    """A plain folder lists only `release.json` and `model.sig`; the statement names the rest."""


Progress = Callable[[int], None]
"""Called with the bytes that came, some times a second; what it raises ends the download (a cancel)."""


class Remote(Protocol):
    """One place. One thread at a time. Every call ends in time: with an answer, or with one of the errors.

    Raises, all: Unavailable (network, credentials, not found), Rejected (what came is not to be trusted).
    """

    def look(self) -> Seen:
        """What lies there now: a HEAD request where the place knows it; below 1 kB where nothing changed."""

    def list(self, seen: Seen) -> Listing:
        """What belongs to `seen`, by its identity. Raises Rejected(MOVED) where the place changed meanwhile."""

    def read(self, file: RemoteFile, max_bytes: int) -> bytes:
        """A small file whole: the statement, the signature. Raises Rejected(TOO_LARGE) above `max_bytes`."""

    def fetch(self, file: RemoteFile, size: int, sink: BinaryIO, progress: Progress) -> None:
        """Write the file's bytes from `sink.tell()` on to `sink`, until `size` bytes are there.

        Goes on where the link is cut, in closed ranges, and never fetches a byte twice; survives a server that answers
        200 to a range. Flushes as it goes, so that a kill keeps what came. Digests are the caller's to check.
        Raises Rejected(TOO_LARGE) where more comes than `size`, Rejected(TOO_SLOW), Rejected(REDIRECT).
        """

    def close(self) -> None:
        """Let connections go."""
