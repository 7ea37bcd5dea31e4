"""Releases: folders of hard links to blobs, and a record beside each."""

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from appliance.registry.errors import Refusal, Rejected, StoreError
from appliance.registry.package.files import PackageFile, content_digest
from appliance.registry.store.ballast import Ballast
from appliance.registry.store.durable import OPEN_FOLDER, file_size, names_in, remove_file, remove_tree, sync_folder
from appliance.registry.store.hashing import sha256_of
from appliance.registry.store.layout import Layout, is_name
from appliance.registry.store.record import Record, read_record, write_record

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})


class Releases:
    """By folder name (layout.name_of). One thread at a time; raises OSError beside what it names."""

    def __init__(self, layout: Layout, ballast: Ballast) -> None:
        self._layout = layout
        self._ballast = ballast
        self._staged: dict[str, tuple[PackageFile, ...]] = {}

    def names(self) -> list[str]:
        """All that are published."""
        return [name for name in names_in(self._layout.versions) if is_name(name)]

    def stage(self, name: str, files: Sequence[PackageFile]) -> Path:
        """Raises StoreError, Rejected(PATH)."""
        digest = content_digest(files)
        self._staged[name] = tuple(files)
        if (held := read_record(self._layout.record(name))) is not None and self._layout.folder(name).is_dir():
            if held.digest != digest:
                raise StoreError(
                    f"release {held.release} stands for {held.digest} in {self._layout.root} and is to be {digest}; "
                    "publish the package under a higher release"
                )
            return self._layout.folder(name)
        staging = self._layout.staging(name)
        if staging.exists():
            remove_tree(staging)
        try:
            self._lay_out(staging, files)
        except (OSError, Rejected, StoreError):
            if staging.exists():
                remove_tree(staging)
            raise
        return staging

    def _lay_out(self, staging: Path, files: Sequence[PackageFile]) -> None:
        paths = {file.path: _checked(file.path) for file in files}
        folders = {parent for path in paths.values() for parent in path.parents}
        if len(paths) < len(files) or folders & set(paths.values()):
            raise Rejected(Refusal.PATH, "two files of the package have one name; publish it again without one of them")
        for folder in sorted({PurePosixPath(), *folders}):
            (staging / folder).mkdir()
            (staging / folder).chmod(OPEN_FOLDER)
        for file in files:
            self._link(file, staging / paths[file.path])
        for folder in {PurePosixPath(), *folders}:
            sync_folder(staging / folder)

    def _link(self, file: PackageFile, path: Path) -> None:
        try:
            os.link(self._layout.blob(file.sha256), path)
        except FileNotFoundError:
            raise StoreError(f"{file.path} ({file.sha256}) is not in {self._layout.blobs}; fetch it first") from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            raise StoreError(
                f"the disk of {self._layout.root} takes no more links to a file ({error.strerror}); "
                "put the state folder on ext4, xfs or btrfs"
            ) from error

    def publish(self, name: str, release: int, version: int, digest: str) -> Path:
        """Raises StoreError, RuntimeError."""
        files = self._staged.get(name)
        if files is None:
            raise RuntimeError(f"release {release} was not staged")
        if content_digest(files) != digest:
            raise RuntimeError(f"release {release} was staged as {content_digest(files)} and is published as {digest}")
        folder, held = self._layout.folder(name), read_record(self._layout.record(name))
        if held is not None and folder.is_dir():
            if (held.version, held.digest) != (version, digest):
                raise StoreError(f"release {release} is here as version {held.version}, and is to be {version}")
        else:
            record = Record(release, version, digest, files)
            self._ballast.written(lambda: write_record(self._layout.record(name), record))
            self._layout.staging(name).rename(folder)
            sync_folder(folder.parent)
        return folder

    def staged_files(self, name: str) -> tuple[PackageFile, ...]:
        """What `stage` was given in this process."""
        return self._staged.get(name, ())

    def unstage(self, name: str) -> None:
        """Remove what `stage` laid out."""
        self._staged.pop(name, None)
        if self._layout.staging(name).exists():
            remove_tree(self._layout.staging(name))

    def remove(self, name: str) -> None:
        """First out of sight, then file by file."""
        gone = self._layout.gone(name)
        if gone.exists():
            remove_tree(gone)
        if self._layout.folder(name).exists():
            self._layout.folder(name).rename(gone)
        remove_file(self._layout.record(name))
        sync_folder(self._layout.versions)
        if gone.exists():
            remove_tree(gone)

    def check(self, name: str) -> None:
        """Raises Rejected(CONTENT, MISSING_FILE, EXTRA_FILE), StoreError."""
        record = read_record(self._layout.record(name))
        folder = self._layout.folder(name)
        if record is None or not folder.is_dir():
            raise StoreError(f"there is no release {name} in {self._layout.root}; deploy it first")
        there = set(_plain_files(folder))
        for file in record.files:
            path = folder / file.path
            if file_size(path) is None:
                raise Rejected(Refusal.MISSING_FILE, f"{path} is missing; deploy the release again")
            if sha256_of(path, from_disk=True) != file.sha256:
                raise Rejected(
                    Refusal.CONTENT, f"{path} is not what it was any more; look after the disk and deploy it again"
                )
            there.discard(file.path)
        if there:
            raise Rejected(Refusal.EXTRA_FILE, f"{folder / min(there)} belongs to no release; deploy the release again")


def _checked(path: str) -> PurePosixPath:
    parts = path.split("/")
    if len(path) > 1024 or "\0" in path or any(part in {"", ".", ".."} or len(part.encode()) > 255 for part in parts):
        raise Rejected(Refusal.PATH, f"{path[:200]!r} is no name for a file of a package; publish it under another")
    return PurePosixPath(path)


def _plain_files(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield (Path(place) / name).relative_to(folder).as_posix()
