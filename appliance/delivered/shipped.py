"""The folder that the box was shipped with: what serves where no store says otherwise."""

from collections.abc import Callable, Mapping
from pathlib import Path

from appliance.registry.store.held import Held
from appliance.serving import FileSystemSource, ServingError, WatchedServable


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
