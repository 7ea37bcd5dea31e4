"""After a kill or a power cut: what was begun is finished or undone, and `current` names a whole release.

Each step may be cut short and done again; together they end in the same state. Nothing here reads files' bytes.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from appliance.registry.store.ballast import Ballast
from appliance.registry.store.durable import make_folder, names_in, remove_file, remove_tree
from appliance.registry.store.factory import Factory
from appliance.registry.store.journal import Journal
from appliance.registry.store.layout import GONE, STAGING, Layout, Pointer, is_name
from appliance.registry.store.pointers import Pointers
from appliance.registry.store.record import missing, read_record
from appliance.registry.store.releases import Releases
from appliance.registry.store.space import FULL

_BEFORE: Final[tuple[Pointer, ...]] = ("previous", "factory")
"""What `current` falls back on, in this order."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What `open` found and did."""

    sentences: tuple[str, ...]
    """Empty where nothing was wrong; what a kill left half done is tidied without a word. For the log and the audit."""
    fell_back: bool
    """`current` was not whole, and names another release now, or none."""


class Recovery:
    """One round, by one thread. Raises OSError."""

    def __init__(
        self,
        layout: Layout,
        releases: Releases,
        pointers: Pointers,
        factory: Factory,
        journal: Journal,
        ballast: Ballast,
    ) -> None:
        self._layout = layout
        self._releases = releases
        self._pointers = pointers
        self._factory = factory
        self._journal = journal
        self._ballast = ballast

    def run(self) -> Recovered:
        """All steps, in an order that never leaves a pointer without what it names."""
        for folder in self._layout.folders():
            make_folder(folder)
        self._pointers.recover()
        self._sweep()
        sentences = list(self._settle_current())
        fell_back = bool(sentences)
        sentences += self._settle("previous")
        sentences += self._settle("factory")
        sentences += self._serve()
        sentences += self._remove_broken()
        self._factory.sweep()
        self._ballast.restore()
        return Recovered(tuple(sentences), fell_back)

    def _sweep(self) -> None:
        """Folders half laid out or half removed, files half written, records that came before their folder."""
        versions = self._layout.versions
        names = set(names_in(versions))
        for name in names:
            if name.endswith((STAGING, GONE)):
                remove_tree(versions / name)
            elif name.endswith(".new") or (name.endswith(".json") and name.removesuffix(".json") not in names):
                remove_file(versions / name)
        for name in names_in(self._layout.partials):
            if name.endswith(".new"):
                remove_file(self._layout.partials / name)
        self._journal.sweep()

    def _settle_current(self) -> Iterator[str]:
        name = self._pointers.read("current")
        lacks = self._lacks("current")
        if name is not None and lacks is None:
            return
        pointer = next((one for one in _BEFORE if self._names_whole(one)), None)
        other = self._pointers.read(pointer) if pointer is not None else None
        if other is not None:
            version = self._version(other)
            self._ballast.written(lambda: self._pointers.replace(other, version))
            yield f"current is {other} now, which was {pointer}: {self._lost(name, lacks)}"
            return
        if name is not None or os.path.lexists(self._layout.pointer("current")):
            yield f"current names nothing now, and no other release is whole: {self._lost(name, lacks)}"
            self._pointers.clear("current")

    def _settle(self, pointer: Pointer) -> Iterator[str]:
        lacks = self._lacks(pointer)
        if lacks is not None:
            yield f"{pointer} names nothing now: {self._lost(self._pointers.read(pointer), lacks)}"
            self._pointers.clear(pointer)

    def _names_whole(self, pointer: Pointer) -> bool:
        name = self._pointers.read(pointer)
        return name is not None and missing(self._layout, name) is None

    def _lacks(self, pointer: Pointer) -> str | None:
        name = self._pointers.read(pointer)
        if name is not None:
            return missing(self._layout, name)
        return "it is no link to a release" if os.path.lexists(self._layout.pointer(pointer)) else None

    def _lost(self, name: str | None, lacks: str | None) -> str:
        if lacks is None:
            return "there was no current"
        return f"release {name} is not whole ({lacks})" if name is not None else lacks

    def _serve(self) -> Iterator[str]:
        name = self._pointers.read("current")
        version = self._version(name) if name is not None else 0
        try:
            self._ballast.written(lambda: self._pointers.serve(name, version))
        except OSError as error:
            if error.errno not in FULL:
                raise
            yield f"{self._layout.serving} does not follow current, because its disk is full; remove files there"

    def _version(self, name: str) -> int:
        record = read_record(self._layout.record(name))
        if record is None:
            raise RuntimeError(f"{name} was whole a moment ago")
        return record.version

    def _remove_broken(self) -> Iterator[str]:
        for name in sorted(self._releases.names()):
            if is_name(name) and (lacks := missing(self._layout, name)) is not None:
                yield f"release {name} was not whole ({lacks}) and is removed; it can be deployed again"
                self._releases.remove(name)
