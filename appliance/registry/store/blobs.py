"""Files by their digest: each is here once, read only, however many releases have it."""

import os
import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO, Final

from appliance.registry.errors import Refusal, Rejected, StoreError
from appliance.registry.package.files import PackageFile
from appliance.registry.store.durable import file_size, names_in, remove_file, sync_folder, write_all
from appliance.registry.store.errors import Damaged
from appliance.registry.store.hashing import sha256_of
from appliance.registry.store.layout import Layout
from appliance.registry.store.space import FULL, require_room, shown, take_room

READ_ONLY: Final = 0o444


class Blobs:
    """Blobs and what came of them so far. One thread at a time; raises OSError beside what it names."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._checked: set[str] = set()
        self._resumed: set[str] = set()
        self._met: set[str] = set()
        self.asked: set[str] = set()
        """What this process needs for a release that is not published yet."""

    def forget(self) -> None:
        """As a new process: nothing is known of the bytes that are here."""
        for known in (self._checked, self._resumed, self._met, self.asked):
            known.clear()

    def holds(self, sha256: str) -> bool:
        """Here, and its bytes are right: they are read once a process. A rotten one is removed."""
        path = self._layout.blob(sha256)
        if file_size(path) is None:
            return False
        if sha256 not in self._checked:
            if sha256_of(path) != sha256:
                path.unlink()
                return False
            self._checked.add(sha256)
        self.asked.add(sha256)
        return True

    def partial(self, sha256: str, size: int) -> BinaryIO:
        """Raises NoSpace."""
        path = self._layout.partial(sha256)
        have = file_size(path) or 0
        if have > size:
            remove_file(path)
            have = 0
        if sha256 not in self._met and have:
            self._resumed.add(sha256)
        self._met.add(sha256)
        self.asked.add(sha256)
        require_room(path.parent, size - have, f"{shown(size)} of a model")
        if have:
            path.chmod(0o600)  # it was about to become a blob
        file = path.open("ab", buffering=0)
        try:
            take_room(file.fileno(), have, size - have)
        except OSError as error:
            file.truncate(have)  # gives back the blocks that were taken before the disk was full
            file.close()
            if not have:
                remove_file(path)
            if error.errno in FULL:
                require_room(path.parent, size - have, f"{shown(size)} of a model")
            raise
        return file

    def keep(self, sha256: str, size: int) -> None:
        """Raises Rejected, Damaged, StoreError."""
        path, blob = self._layout.partial(sha256), self._layout.blob(sha256)
        have = file_size(path)
        if have is None and file_size(blob) is not None:
            return
        if (have or 0) < size or have is None:
            raise StoreError(f"{path} has {have or 0} of {size} bytes; fetch the rest before it is kept")
        if have > size or sha256_of(path) != sha256:
            self._refuse(sha256, path)
        _settle(path)
        path.rename(blob)
        sync_folder(blob.parent)
        self._forget(sha256)
        self._checked.add(sha256)
        self.asked.add(sha256)

    def put(self, sha256: str, raw: bytes) -> None:
        """A whole small file."""
        path, blob = self._layout.partial(sha256), self._layout.blob(sha256)
        if self.holds(sha256):
            return
        remove_file(path)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                write_all(descriptor, raw)
            finally:
                os.close(descriptor)
            _settle(path)
        except OSError:
            remove_file(path)
            raise
        path.rename(blob)
        sync_folder(blob.parent)
        self._checked.add(sha256)
        self.asked.add(sha256)

    def adopt(self, sha256: str, whole: Path) -> None:
        """A file of ours becomes the blob; its bytes are known to be right."""
        if self.holds(sha256):
            whole.unlink()
            return
        _settle(whole)
        whole.rename(self._layout.blob(sha256))
        sync_folder(self._layout.blobs)
        self._checked.add(sha256)
        self.asked.add(sha256)

    def drop(self, sha256: str) -> None:
        """What came of it, and the blob where no release has it."""
        remove_file(self._layout.partial(sha256))
        self._forget(sha256)
        self.asked.discard(sha256)
        blob = self._layout.blob(sha256)
        if file_size(blob) is not None and os.lstat(blob).st_nlink == 1:
            blob.unlink()
            self._checked.discard(sha256)

    def release(self, files: Iterable[PackageFile]) -> None:
        """They are not asked for any more: a release has them, or they go."""
        for file in files:
            if file.sha256 in self.asked:
                self.drop(file.sha256)

    def sweep(self, wanted: Collection[str] = ()) -> tuple[int, int]:
        """Remove blobs that no release has, but `wanted`. Returns how many, and their bytes."""
        count = total = 0
        with os.scandir(self._layout.blobs) as entries:
            loose = [entry.name for entry in entries if entry.stat(follow_symlinks=False).st_nlink == 1]
        for name in loose:
            if name not in wanted:
                path = self._layout.blobs / name
                total += os.lstat(path).st_size
                path.unlink()
                self._checked.discard(name)
                count += 1
        return count, total

    def sweep_partials(self, wanted: Collection[str] = (), older_than: float | None = None) -> tuple[int, int]:
        """Remove what came of files, but `wanted`; only what nobody wrote on since `older_than` (a wall clock's s)."""
        count = total = 0
        for name in names_in(self._layout.partials):
            status = os.lstat(self._layout.partials / name)
            if name not in wanted and (older_than is None or status.st_mtime < older_than):
                (self._layout.partials / name).unlink()
                self._forget(name)
                count, total = count + 1, total + status.st_blocks * 512
        return count, total

    def _refuse(self, sha256: str, path: Path) -> None:
        resumed = sha256 in self._resumed
        path.unlink()
        self._forget(sha256)
        if resumed:
            raise Damaged(f"what an earlier run had fetched of {sha256} is damaged and was dropped; fetch it again")
        raise Rejected(
            Refusal.CONTENT,
            f"the bytes that came are not those of {sha256}; publish the package again, or look after its registry",
        )

    def _forget(self, sha256: str) -> None:
        self._resumed.discard(sha256)
        self._met.discard(sha256)


def _settle(path: Path) -> None:
    """On the disk, and read only from now on."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, READ_ONLY)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if stat.S_IMODE(os.lstat(path).st_mode) != READ_ONLY:
        raise StoreError(f"the disk of {path} does not keep access rights; put the state folder on ext4, xfs or btrfs")
