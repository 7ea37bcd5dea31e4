"""One delivered model's place on the disk, for the one process that writes it."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from appliance.registry.errors import StoreError
from appliance.registry.package.files import PackageFile
from appliance.registry.store.audit import Audit
from appliance.registry.store.ballast import Ballast
from appliance.registry.store.blobs import Blobs
from appliance.registry.store.collection import Collected, collect
from appliance.registry.store.durable import make_folder, sync_folder
from appliance.registry.store.factory import Factory
from appliance.registry.store.held import Held
from appliance.registry.store.journal import Journal
from appliance.registry.store.layout import Layout, name_of
from appliance.registry.store.pointers import Pointers
from appliance.registry.store.record import missing
from appliance.registry.store.recovery import Recovered, Recovery
from appliance.registry.store.releases import Releases
from appliance.registry.store.space import FULL, explained, require_room
from appliance.registry.store.view import StoreView

_LAGS: Final = (
    "serving/ does not follow current, because the disk is full; outside model servers read the release before"
)


class Store:
    """Blobs, releases, pointers, journal and audit of one model.

    Threads: whatever writes by one at a time; `current`, `previous`, `factory`, `held`, `releases`, `troubles` and the
    audit from any. Every method that writes may raise StoreError (the disk cannot be used as it is) and NoSpace (it is
    full; nothing half is left). Other processes read through StoreView.
    Flash wears by fsyncs: keep 2, stage one a folder, publish 3, activate 3, back 2, a save 2, an audit line 1.
    """

    def __init__(self, folder: Path, ballast_bytes: int) -> None:
        """`folder` is the store's own, made by `open`; `ballast_bytes` of it are for bad times. Touches nothing."""
        self.folder = folder
        self._layout = Layout(folder)
        self._view = StoreView(folder)
        self._ballast = Ballast(self._layout.ballast, ballast_bytes)
        self.journal = Journal(self._layout.journal, self._ballast)
        self.audit = Audit(folder / "audit.jsonl", self._ballast)
        self._blobs = Blobs(self._layout)
        self._releases = Releases(self._layout, self._ballast)
        self._pointers = Pointers(self._layout)
        self._factory = Factory(self._layout, self._blobs, self._releases, self._pointers)
        self._lags = False
        self._lock: int | None = None

    def open(self) -> Recovered:
        """Take the store for this process, and finish or undo what a kill or a power cut left.

        Looks at every file's size, not at its bytes (`check` does). Raises StoreError where another process has it.
        """
        if self._lock is not None:
            raise RuntimeError("the store is open already")
        with explained("open the store of models", self.folder):
            make_folder(self.folder)
            self._lock = self._locked()
            try:
                return Recovery(
                    self._layout, self._releases, self._pointers, self._factory, self.journal, self._ballast
                ).run()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Let another process have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            self._blobs.forget()

    # Blobs

    def holds(self, sha256: str) -> bool:
        """The bytes of that digest are here, whole and right. The first time a process asks, they are read (1 s a GB).

        Rotten ones are removed: fetch them again.
        """
        with self._doing(f"look for {sha256}"):
            return self._blobs.holds(sha256)

    def partial(self, sha256: str, size: int) -> BinaryIO:
        """A file to write on with what is still to come: `tell()` says how much is here. Unbuffered; close it yourself.

        Room for all of it is taken first: raises NoSpace before a byte is fetched, and leaves nothing.
        """
        with self._doing(f"make room for {sha256}"):
            return self._blobs.partial(sha256, size)

    def keep(self, sha256: str, size: int) -> None:
        """The partial is whole: check its bytes and put it among the blobs. Reads it once; two fsyncs.

        Again, where it is kept already: nothing happens. Raises Rejected(CONTENT) where the bytes are others, Damaged
        where they are others and some of them came in an earlier run (fetch again); the partial is gone in both cases.
        Raises StoreError where bytes are missing; the partial stays.
        """
        with self._doing(f"keep {sha256}"):
            self._blobs.keep(sha256, size)

    def drop(self, sha256: str) -> None:
        """Remove what came of it so far; and the blob, where no release has it."""
        with self._doing(f"remove {sha256}"):
            self._blobs.drop(sha256)

    def put_bytes(self, raw: bytes) -> str:
        """Keep a small file at once (the statement, the signature). Returns its SHA-256."""
        sha256 = hashlib.sha256(raw).hexdigest()
        with self._doing(f"keep {sha256}"):
            self._blobs.put(sha256, raw)
        return sha256

    def reserve(self, count: int) -> None:
        """Raises NoSpace where the disk has no room for `count` more bytes, and says what is needed, free, and where.

        For a whole package before its first byte. It takes nothing: each `partial` takes its own room.
        """
        with self._doing("look for room"):
            require_room(self.folder, count, "a model")

    # Releases

    def stage(self, release: int, files: Sequence[PackageFile]) -> Path:
        """Lay the blobs of a package out as a folder, as hard links: a place to verify it whole, before `publish`.

        Where the same content is published already, that folder. About 20 us a file, and an fsync a folder.
        Raises StoreError where a blob is missing, or where the release stands for other content here; Rejected(PATH)
        for names that no folder can have.
        """
        with self._doing(f"lay out release {release}"):
            return self._releases.stage(_numbered(release), files)

    def publish(self, release: int, version: int, digest: str) -> Path:
        """What `stage` laid out becomes a release that `activate` and StoreView know. Idempotent.

        Raises RuntimeError where it was not staged by this process, or `digest` is not its content's (a bug).
        """
        name = _numbered(release)
        with self._doing(f"publish release {release}"):
            folder = self._releases.publish(name, release, version, digest)
        self._blobs.asked.difference_update(file.sha256 for file in self._releases.staged_files(name))
        return folder

    def discard(self, release: int | None) -> None:
        """Leave nothing of a package that was refused: what `stage` made of it, partials, blobs that no release has.

        Never what is published. None: it had no readable statement.
        """
        with self._doing("remove what was refused"):
            if release is not None:
                self._releases.unstage(_numbered(release))
            self._blobs.asked.clear()
            self._blobs.sweep()
            self._blobs.sweep_partials()
            sync_folder(self._layout.blobs)

    def remove(self, release: int) -> None:
        """Take a published release away, and blobs that only it had. Raises StoreError where a pointer names it."""
        name = _numbered(release)
        if name in self._pointers.named():
            raise StoreError(f"release {release} is in use in {self.folder}; activate another one before it is removed")
        with self._doing(f"remove release {release}"):
            self._releases.remove(name)
            self._blobs.sweep(self._blobs.asked)

    def releases(self) -> list[Held]:
        """All that is published, oldest first."""
        with self._doing("list releases"):
            found = [self._view.named(name) for name in self._releases.names()]
        return sorted((held for held in found if held is not None), key=lambda held: held.release)

    def held(self, release: int) -> Held | None:
        """That one, where it is published and its record is readable."""
        return self._view.held(release)

    def check(self, release: int) -> None:
        """Read a release's bytes again: bit rot. About 1 s a GB.

        Raises Rejected(CONTENT) that names the file, StoreError where the release is not here.
        """
        held = self._there(release)
        with self._doing(f"read release {release}"):
            self._releases.check(held.folder.name)

    # The factory's

    def adopt_factory(self, folder: Path, version: int, digest: str, release: int = 0) -> Held:
        """Copy the model that came with the box into the store: `factory`, and `current` where there is none.

        Nothing happens where it is that already. A changed one (the appliance was upgraded) takes the place of the one
        before; `current` and `previous` move with it where they were the factory's.
        Raises StoreError where the folder's bytes are not those of `digest`, or the release stands for other content.
        """
        with self._doing(f"take the model of {folder}"):
            self._ballast.restore()
            held = self._view.factory()
            if held is None or (held.digest, held.version, held.release) != (digest, version, release):
                self._factory.adopt(folder, release, version, digest)
            elif self._pointers.read("current") is None:
                self._pointers.activate(held.folder.name, held.version)
        return self._there(release)

    # Pointers

    @property
    def current(self) -> Held | None:
        """What serves."""
        return self._view.current()

    @property
    def previous(self) -> Held | None:
        """What `back` goes to; never the same as `current`. None after `back`."""
        return self._view.previous()

    @property
    def factory(self) -> Held | None:
        """What came with the box."""
        return self._view.factory()

    def activate(self, release: int, *, after_rename: Callable[[], None] | None = None) -> None:
        """`current` := release, `previous` := what `current` was; `serving/<version>` follows. Idempotent.

        `after_rename` is called as soon as `current` has changed, before the fsync that makes it last: nudge the line
        there. Three fsyncs. Raises StoreError where the release is not here, whole.
        """
        held = self._there(release)
        if (lacks := missing(self._layout, held.folder.name)) is not None:
            raise StoreError(f"release {release} is not whole ({lacks}); deploy it again")
        with self._doing(f"activate release {release}"):
            self._ballast.written(lambda: self._pointers.activate(held.folder.name, held.version, after_rename))

    def back(self, *, after_rename: Callable[[], None] | None = None) -> Held:
        """`current` := `previous`, which is then none. Returns the new `current`.

        Nothing is waited for before the rename; two fsyncs after it. Raises StoreError where there is no `previous`.
        """
        held = self.previous
        if held is None:
            raise StoreError(f"there is no release before the current one in {self.folder}; activate one by its number")
        with self._doing(f"go back to release {held.release}"):
            self._pointers.back(after_rename)
            self._follow(held)
        return held

    def _follow(self, held: Held) -> None:
        """The line has gone back; whoever reads `serving` can wait until the disk has room again."""
        self._lags = True
        try:
            self._ballast.written(lambda: self._pointers.serve(held.folder.name, held.version))
            self._lags = False
        except OSError as error:
            if error.errno not in FULL:
                raise

    # Room

    def collect(self, keep: int, protected: Collection[int] = (), wanted: Collection[str] = ()) -> Collected:
        """Take away the oldest releases beyond `keep` (the factory's does not count), then blobs of none, old partials.

        Never what a pointer names, nor `protected` (releases), nor `wanted` (SHA-256s of a download under way; what
        this process asked for since the last publish or discard is known).
        """
        with self._doing("make room"):
            collected = collect(self._blobs, self._releases, self._pointers, keep, protected, wanted)
            self._ballast.restore()
            if self._lags and (current := self.current) is not None:
                self._follow(current)
        return collected

    def troubles(self) -> tuple[str, ...]:
        """Sentences on what is not as it has to be at present: the ballast is used up. For the box' health."""
        with explained("look after the ballast", self.folder):
            found = (self._ballast.trouble(), self.journal.trouble(), _LAGS if self._lags else None)
        return tuple(sentence for sentence in found if sentence is not None)

    def _there(self, release: int) -> Held:
        held = self.held(release)
        if held is None:
            raise StoreError(f"there is no release {release} in {self.folder}; deploy it first")
        return held

    def _locked(self) -> int:
        lock = os.open(self._layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise StoreError(f"another process has {self.folder}; stop the delivery that runs already") from None
        return lock

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        if self._lock is None:
            raise RuntimeError(f"{what}: the store is not open")
        with explained(what, self.folder):
            yield


def _numbered(release: int) -> str:
    """Release 0 comes by `adopt_factory` alone."""
    if release < 1:
        raise RuntimeError(f"{release} is no release of a statement")
    return name_of(release, "")
