"""Where packages are sent to: OCI registries and plain folders."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from appliance.registry.package.statement import Statement


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was sent, and how a box asks for it."""

    reference: str
    """With the digest where the place has any: `oci://host/repository@sha256:...`; a folder's path."""
    source: str
    """What a box' configuration names: `oci://host/repository:tag`, `file:///folder/`."""
    digest: str
    """The manifest's; the content's in a plain folder."""
    bytes_sent: int
    bytes_there: int
    """What the place had already."""
    names: tuple[str, ...]
    """Tags, or files as latest.json, that name it now."""


Advance = Callable[[int], None]
"""Called with bytes, sent or found there: together the package's size."""


class Destination(Protocol):
    """One place. One thread. Raises, all: Unavailable, NoSpace."""

    def newest_release(self) -> int | None:
        """The highest release published there; None where there is none."""

    def push(self, folder: Path, statement: Statement, advance: Advance) -> Pushed:
        """Send the package, then name it: a reader sees all of it, or what was there before.

        Its files are those of `statement`, release.json and model.sig; whoever calls has verified them.
        """

    def close(self) -> None:
        """Let connections go."""
