"""One delivered model's place on the disk, for the one process that writes it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from appliance.registry.package.files import PackageFile
from appliance.registry.store.audit import Audit
from appliance.registry.store.held import Held
from appliance.registry.store.journal import Journal


@dataclass(frozen=True, slots=True)
class Recovered:
    """What `open` found and did."""

    sentences: tuple[str, ...]
    """Empty where nothing was to be done. For the log and the audit."""
    fell_back: bool
    """`current` was not whole, and names another release now."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What `collect` took away."""

    releases: tuple[int, ...]
    blobs: int
    partials: int
    bytes: int

    def sentence(self) -> str:
        """The same for people."""
        raise NotImplementedError


class Store:
    """Blobs, releases, pointers, journal and audit of one model.

    Threads: one at a time; the audit may be used from any. Every method that writes may raise StoreError (the disk
    cannot be used as it is) and NoSpace (it is full; nothing half is left). Others read through StoreView.
    """

    def __init__(self, folder: Path, ballast_bytes: int) -> None:
        """`folder` is the store's own, made by `open`; `ballast_bytes` are kept there for bad times. Touches nothing."""
        self.folder = folder
        self.journal = Journal(folder / "journal")
        self.audit = Audit(folder / "audit.jsonl")

    def open(self) -> Recovered:
        """Take the store for this process, and finish or undo what a kill or a power cut left.

        Looks at every file's size, not at its bytes (`check` does). Raises StoreError where another process has it.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let another process have it."""
        raise NotImplementedError

    # Blobs

    def holds(self, sha256: str) -> bool:
        """The bytes of that digest are here, whole and checked."""
        raise NotImplementedError

    def partial(self, sha256: str, size: int) -> BinaryIO:
        """A file to write on with what is still to come: `tell()` says how much is here. Unbuffered; the caller closes it.

        Room for all of it is taken first: raises NoSpace before a byte is fetched, and leaves nothing.
        """
        raise NotImplementedError

    def keep(self, sha256: str, size: int) -> None:
        """The partial is whole: check its bytes and put it among the blobs. Reads it once; two fsyncs.

        Again, where it is kept already: nothing happens. Raises Rejected(CONTENT) where the bytes are others, Damaged
        where they are others and some of them came in an earlier run (fetch again); the partial is gone in both cases.
        Raises StoreError where bytes are missing; the partial stays.
        """
        raise NotImplementedError

    def drop(self, sha256: str) -> None:
        """Remove what came of it so far; and the blob, where no release has it."""
        raise NotImplementedError

    def put_bytes(self, raw: bytes) -> str:
        """Keep a small file at once (the statement, the signature). Returns its SHA-256."""
        raise NotImplementedError

    def reserve(self, count: int) -> None:
        """Raises NoSpace where the disk has no room for `count` more bytes, and says what is needed, free, and where.

        For a whole package before its first byte. It takes nothing: each `partial` takes its own room.
        """
        raise NotImplementedError

    # Releases

    def stage(self, release: int, files: Sequence[PackageFile]) -> Path:
        """Lay the blobs of a package out as a folder, as hard links: a place to verify it whole, before `publish`.

        Where the same content is published already, that folder. About 20 us a file and an fsync a folder.
        Raises StoreError where a blob is missing, or where the release stands for other content here; Rejected(PATH)
        for names that no folder can have.
        """
        raise NotImplementedError

    def publish(self, release: int, version: int, digest: str) -> Path:
        """What `stage` laid out becomes a release that `activate` and StoreView know. Idempotent.

        Raises RuntimeError where it was not staged by this process, or `digest` is not its content's (a bug).
        """
        raise NotImplementedError

    def discard(self, release: int | None) -> None:
        """Leave nothing of a package that was refused: what `stage` made of it, partials, blobs that no release has.

        Never what is published. None: it had no readable statement.
        """
        raise NotImplementedError

    def remove(self, release: int) -> None:
        """Take a published release away, and blobs that only it had. Raises StoreError where a pointer names it."""
        raise NotImplementedError

    def releases(self) -> list[Held]:
        """All that is published, oldest first."""
        raise NotImplementedError

    def held(self, release: int) -> Held | None:
        """That one, where it is published and its record is readable."""
        raise NotImplementedError

    def check(self, release: int) -> None:
        """Read a release's bytes again: bit rot. About 1 s a GB.

        Raises Rejected(CONTENT) that names the file, StoreError where the release is not here.
        """
        raise NotImplementedError

    # The factory's

    def adopt_factory(self, folder: Path, version: int, digest: str, release: int = 0) -> Held:
        """Copy the model that came with the box into the store: `factory`, and `current` where there is none.

        Nothing happens where it is that already. A changed one (the appliance was upgraded) takes the place of the one
        before; `current` and `previous` move with it where they were the factory's.
        Raises StoreError where the folder's bytes are not those of `digest`, or the release stands for other content.
        """
        raise NotImplementedError

    # Pointers

    @property
    def current(self) -> Held | None:
        """What serves."""
        raise NotImplementedError

    @property
    def previous(self) -> Held | None:
        """What `back` goes to; never the same as `current`. None after `back`."""
        raise NotImplementedError

    @property
    def factory(self) -> Held | None:
        """What came with the box."""
        raise NotImplementedError

    def activate(self, release: int, *, after_rename: Callable[[], None] | None = None) -> None:
        """`current` := release, `previous` := what `current` was; `serving/<version>` follows. Idempotent.

        `after_rename` is called as soon as `current` has changed, before the fsync that makes it last: nudge the line
        there. Three fsyncs. Raises StoreError where the release is not here, whole.
        """
        raise NotImplementedError

    def back(self, *, after_rename: Callable[[], None] | None = None) -> Held:
        """`current` := `previous`, which is then none. Returns the new `current`. Raises StoreError where there is none."""
        raise NotImplementedError

    # Room

    def collect(self, keep: int, protected: Collection[int] = (), wanted: Collection[str] = ()) -> Collected:
        """Take away the oldest releases beyond `keep` (the factory's does not count), then blobs of none, old partials.

        Never what a pointer names, nor `protected` (releases), nor `wanted` (SHA-256s of a download under way; what
        this process asked for since the last publish or discard is known).
        """
        raise NotImplementedError

    def troubles(self) -> tuple[str, ...]:
        """Sentences on what is not as it has to be at present: the ballast is used up. For the box' health."""
        raise NotImplementedError
