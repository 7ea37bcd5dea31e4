"""Where packages are sent to: OCI registries and plain folders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was sent, and how a box asks for it."""

    reference: str
    """With the digest where the place has any: `oci://host/repository@sha256:...`; a folder's path."""
    source: str
    """What a box' configuration names: `oci://host/repository:tag`, `file:///folder/`."""
    digest: str
    """The manifest's, or the content's in a plain folder."""
    bytes_sent: int
    bytes_there: int
    """Of the package, what the place had already."""
    names: tuple[str, ...]
    """Tags, or files as latest.json, that name it now."""


class Destination(Protocol):
    """One place. One thread. Raises, all: Unavailable, NoSpace."""

    def newest_release(self) -> int | None:
        """The highest release published there; None where there is none."""

    def push(self, folder: Path, release: int, digest: str, progress: Callable[[int], None]) -> Pushed:
        """Send the package, then name it: a reader sees all of it, or what was there before.

        `digest`: the content's. `progress` is called with bytes, sent or found there.
        """

    def close(self) -> None:
        """Let connections go."""


def open_destination(
    where: str,
    *,
    tags: Sequence[str] = (),
    plain_image: bool = False,
    credentials_file: Path | None = None,
    ca_file: Path | None = None,
    proxy: str | None = None,
    timeout_s: float = 30.0,
) -> Destination:
    """`oci://host/repository[:tag]`, `oci+http://...`, `file:///folder`, or a folder's path. Opens no socket.

    Raises: Unavailable where `where` cannot be read as one of these.
    """
    raise NotImplementedError
