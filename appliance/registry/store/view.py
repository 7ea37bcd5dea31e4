"""The store as others see it: read only, without a lock, while delivery writes."""

from pathlib import Path
from typing import Final

from appliance.registry.errors import StoreError
from appliance.registry.store.held import Held
from appliance.registry.store.layout import Layout, Pointer, name_of
from appliance.registry.store.pointers import read_link
from appliance.registry.store.record import read_record
from appliance.registry.store.space import explained

_TRIES: Final = 8


class StoreView:
    """For the line. Any thread; each call reads some small files (below 1 ms from memory). Never writes.

    What is returned was true a moment ago: `current` may have moved since, and a release that is neither pointed at
    nor wished for may be gone.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` need not exist yet."""
        self.folder = folder
        self._layout = Layout(folder)

    def current(self) -> Held | None:
        """What has to serve; None where nothing was ever adopted. Raises StoreError where it cannot be read."""
        return self._pointed("current")

    def previous(self) -> Held | None:
        """What a roll-back goes to, if any. Raises StoreError."""
        return self._pointed("previous")

    def factory(self) -> Held | None:
        """What came with the box. Raises StoreError."""
        return self._pointed("factory")

    def held(self, release: int) -> Held | None:
        """That release, where it is published. Raises StoreError where its record cannot be read."""
        with explained(f"read release {release}", self.folder):
            if release == 0:
                names = [read_link(self._layout.pointer(pointer)) for pointer in _WITH_ZERO]
                name = next((one for one in names if one is not None and one.startswith("0-")), None)
            else:
                name = name_of(release, "")
            return None if name is None else self.named(name)

    def named(self, name: str) -> Held | None:
        """By the folder's name. Raises StoreError, OSError."""
        record = read_record(self._layout.record(name))
        if record is None or not self._layout.folder(name).is_dir():
            return None
        return Held(
            record.release,
            record.version,
            record.digest,
            self._layout.folder(name),
            name == read_link(self._layout.pointer("factory")),
            record.bytes,
        )

    def _pointed(self, pointer: Pointer) -> Held | None:
        """A release that vanishes while it is read was no longer pointed at: look again."""
        path = self._layout.pointer(pointer)
        with explained(f"read {path.name}", self.folder):
            for _ in range(_TRIES):
                name = read_link(path)
                if name is None:
                    return None
                if (held := self.named(name)) is not None:
                    return held
                if read_link(path) == name:
                    break
        raise StoreError(
            f"{path} names a release that is not there; start delivery again: it falls back to a whole one"
        )


_WITH_ZERO: tuple[Pointer, ...] = ("factory", "current", "previous")
