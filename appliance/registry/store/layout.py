"""Where what lies in a store."""

import re
from pathlib import Path
from typing import Final, Literal

Pointer = Literal["current", "previous", "factory"]
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[1-9][0-9]{0,18}|0-[0-9a-f]{16}")
STAGING: Final = ".staging"
"""Ends the name of a folder that is being laid out."""
NEXT: Final = ".next"
"""The link that takes the place of the one in `serving`."""
GONE: Final = ".gone"
"""Ends the name of a folder that is being removed."""


class Layout:
    """Paths below one store's folder. Touches no disk.

    A release's folder is named by its number. Release 0, the factory's, has no number of its own: its folder carries
    the content's digest too, so that another can be laid beside it and pointers can move to it in one rename.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = root / "lock"
        self.ballast = root / "ballast"
        self.blobs = root / "blobs" / "sha256"
        self.partials = root / "partial"
        self.versions = root / "versions"
        self.serving = root / "serving"
        self.journal = root / "journal"

    def folders(self) -> tuple[Path, ...]:
        """All that have to be there."""
        return (self.root, self.blobs, self.partials, self.versions, self.serving, self.journal)

    def blob(self, sha256: str) -> Path:
        """Raises RuntimeError where that is no digest (a bug: statements are read before)."""
        return self.blobs / _digits(sha256)

    def partial(self, sha256: str) -> Path:
        """What came so far. Raises RuntimeError as `blob`."""
        return self.partials / _digits(sha256)

    def folder(self, name: str) -> Path:
        """A published release."""
        return self.versions / name

    def staging(self, name: str) -> Path:
        """The same while it is laid out."""
        return self.versions / f"{name}{STAGING}"

    def gone(self, name: str) -> Path:
        """The same while it is removed."""
        return self.versions / f"{name}{GONE}"

    def record(self, name: str) -> Path:
        """What is known of it."""
        return self.versions / f"{name}.json"

    def pointer(self, pointer: Pointer) -> Path:
        """A symbolic link to a release's folder."""
        return self.root / pointer

    def next(self, pointer: Pointer) -> Path:
        """The link that takes the pointer's place."""
        return self.root / f".{pointer}.next"


def name_of(release: int, digest: str) -> str:
    """Raises RuntimeError for what is no release (a bug)."""
    name = str(release) if release else f"0-{digest.removeprefix('sha256:')[:16]}"
    if not is_name(name):
        raise RuntimeError(f"{release} with digest {digest} is no release")
    return name


def is_name(name: str) -> bool:
    """A folder in `versions` that is a release."""
    return _NAME.fullmatch(name) is not None


def release_of(name: str) -> int:
    """The number that `name_of` made the name from."""
    return int(name.partition("-")[0])


def _digits(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise RuntimeError(f"{sha256!r} is no SHA-256")
    return sha256
