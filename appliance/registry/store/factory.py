"""The model that came with the box, taken into the store: the last one to fall back on."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from appliance.registry.errors import StoreError
from appliance.registry.package.files import PackageFile, content_digest
from appliance.registry.store.blobs import Blobs
from appliance.registry.store.durable import remove_file, write_all
from appliance.registry.store.layout import Layout, name_of
from appliance.registry.store.pointers import Pointers
from appliance.registry.store.releases import Releases
from appliance.registry.store.space import require_room

_CHUNK_BYTES = 4 << 20


class Factory:
    """Copies: the folder's files are another's, who may write on them. One thread at a time; raises OSError."""

    def __init__(self, layout: Layout, blobs: Blobs, releases: Releases, pointers: Pointers) -> None:
        self._layout = layout
        self._blobs = blobs
        self._releases = releases
        self._pointers = pointers

    def adopt(self, folder: Path, release: int, version: int, digest: str) -> None:
        """Publish the folder's content, then move the pointers: `factory` last, so that a repeat makes a kill good."""
        name = name_of(release, digest)
        files: list[PackageFile] = []
        try:
            self._take(folder, digest, files)
            self._releases.stage(name, files)
            self._releases.publish(name, release, version, digest)
        finally:
            self._blobs.release(files)
        old = self._pointers.read("factory")
        current = self._pointers.read("current")
        if current is None or current == old:
            self._pointers.replace(name, version)
        if self._pointers.read("previous") == old and old is not None:
            self._pointers.set("previous", name)
        self._pointers.set("factory", name)
        self._pointers.recover()
        self.sweep()

    def sweep(self) -> None:
        """Remove a factory model that was replaced. A signed one is a release like others, and stays."""
        named = self._pointers.named()
        for name in self._releases.names():
            if name.startswith("0-") and name not in named:
                self._releases.remove(name)

    def _take(self, folder: Path, digest: str, files: list[PackageFile]) -> None:
        found = sorted(_files(folder))
        require_room(self._layout.partials, sum(path.stat().st_size for _, path in found), f"the model of {folder}")
        for name, path in found:
            files.append(self._copy(name, path))
        if (taken := content_digest(files)) != digest:
            raise StoreError(
                f"{folder} has the content {taken} and not {digest}; leave its files alone and start again"
            )

    def _copy(self, name: str, source: Path) -> PackageFile:
        content, size = hashlib.sha256(), 0
        target = self._layout.partials / ".factory.new"
        remove_file(target)
        try:
            with source.open("rb", buffering=0) as file:
                descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                try:
                    while chunk := file.read(_CHUNK_BYTES):
                        write_all(descriptor, chunk)
                        content.update(chunk)
                        size += len(chunk)
                finally:
                    os.close(descriptor)
            self._blobs.adopt(content.hexdigest(), target)
        finally:
            remove_file(target)
        return PackageFile(name, size, content.hexdigest())


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    if not folder.is_dir():
        raise StoreError(f"{folder} is no folder; place the model's files there")
    for place, folders, names in os.walk(folder):
        for name in folders:
            if (Path(place) / name).is_symlink():
                raise StoreError(f"{Path(place) / name} is a link to a folder; put the files themselves there")
        for name in names:
            path = Path(place) / name
            yield path.relative_to(folder).as_posix(), path
