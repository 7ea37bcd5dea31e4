"""What may serve, as it lies on the disk: the store's pointers, and the folder that the box was shipped with."""

from collections.abc import Callable, Mapping
from pathlib import Path

from appliance.registry.errors import StoreError
from appliance.registry.store.held import Held
from appliance.registry.store.layout import Layout, Pointer, is_name, release_of
from appliance.registry.store.view import StoreView
from appliance.serving import FileSystemSource, ServingError, WatchedServable


class Disk:
    """One model's. Any thread; each call reads some small files."""

    def __init__(self, store: Path) -> None:
        """`store` need not exist yet."""
        self._layout = Layout(store)
        self._view = StoreView(store)

    def current(self) -> Held | None:
        """What has to serve. Raises: StoreError."""
        return self._view.current()

    def previous(self) -> Held | None:
        """What served before. Raises: StoreError."""
        return self._pointed("previous")

    def factory(self) -> Held | None:
        """What the box was shipped with, as the store took it over. Raises: StoreError."""
        return self._pointed("factory")

    def held(self, release: int) -> Held | None:
        """That release, where it is whole. Raises: StoreError."""
        return self._view.held(release)

    def _pointed(self, pointer: Pointer) -> Held | None:
        link = self._layout.pointer(pointer)
        try:
            name = link.readlink().name
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{link} cannot be read: {error.strerror}; check the disk.") from error
        if not is_name(name):
            raise StoreError(f"{link} names {name!r}, which is no release; the delivery process puts it right.")
        return self._view.held(release_of(name))


class Shipped:
    """The folder that the box was shipped with, in TensorFlow Serving's layout. One thread."""

    def __init__(self, name: str, base_path: Callable[[], Path]) -> None:
        self._name = name
        self._base_path = base_path
        self._source: FileSystemSource[Path] = FileSystemSource((), lambda _new, folder: folder, self._found)
        self._newest: Held | None = None

    def newest(self) -> Held | None:
        """Its newest version, without a digest: nobody has recorded one. What is wrong with the folder is logged."""
        self._source.update([WatchedServable(self._name, self._base_path())])
        self._source.poll()
        return self._newest

    def _found(self, _name: str, folders: Mapping[int, Path | ServingError]) -> None:
        for version, folder in folders.items():
            if isinstance(folder, Path):
                self._newest = Held(0, version, digest="", folder=folder, is_factory=True, bytes=0)
