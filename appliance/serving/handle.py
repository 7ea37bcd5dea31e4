"""Borrowing a loaded version, without waiting for anybody.

A borrower reads one attribute and one dict, and adds itself to a set: no lock that anyone else could be holding, and
so nothing that a low-priority thread could make the verdict wait for. Who takes a version out of service first
replaces the map, then closes the lease, then looks whether anyone borrows; a borrower first enters itself, then looks
whether the lease is still open. Whichever way the two interleave, one of them sees the other: either the borrower
turns away and looks again (at the new map), or the version stays until the borrower has left.

This rests on single set and attribute operations being atomic and in order, which CPython gives us: by the GIL, or by
per-object locks where there is none.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, TracebackType
from typing import Final, Generic, TypeVar

from appliance.serving.errors import NotServing
from appliance.serving.ids import ServableId

ServableT = TypeVar("ServableT")

_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class Lease(Generic[ServableT]):
    """One loaded version, and those who borrow it now."""

    __slots__ = ("_borrowers", "_on_drained", "id", "servable")

    def __init__(self, id: ServableId, servable: ServableT) -> None:  # noqa: A002 - the word of the trade
        self.id = id
        self.servable = servable
        self._borrowers: set[Handle[ServableT]] = set()
        self._on_drained: Callable[[], None] | None = None  # None: open

    @property
    def borrowers(self) -> int:
        """How many borrow it at this moment."""
        return len(self._borrowers)

    def take(self, borrower: "Handle[ServableT]") -> bool:
        """Enter a borrower; False where the version is already on its way out."""
        self._borrowers.add(borrower)  # first enter,
        if self._on_drained is None:  # then look: see above
            return True
        self.give_back(borrower)
        return False

    def give_back(self, borrower: "Handle[ServableT]") -> None:
        """Let a borrower go; the last one to leave a closed lease says so, without waiting for what follows."""
        self._borrowers.discard(borrower)
        on_drained = self._on_drained
        if on_drained is not None and not self._borrowers:
            on_drained()

    def close(self, on_drained: Callable[[], None]) -> None:
        """Let nobody else in; call `on_drained` once nobody borrows it: now, or from the last borrower's thread.

        It may be called more than once, and again later, by somebody who came late and turned away. The map that
        shows this lease has to be replaced before.
        """
        self._on_drained = on_drained
        if not self._borrowers:
            on_drained()

    def release(self) -> None:
        """Forget the servable, once and after the lease has drained: nobody has it any more."""
        del self.servable


class ServingMap(Generic[ServableT]):
    """Everything that can be borrowed, at one moment. Immutable: a change is another map."""

    __slots__ = ("exact", "latest")

    def __init__(
        self, leases: Iterable[tuple[Lease[ServableT], bool]] = (), preferred: Mapping[str, int] = _NONE
    ) -> None:
        """From each lease and whether its version is aspired; `preferred`: the version to answer with, by name.

        Latest is the preferred version where it is there; else the highest that is aspired, or the highest at all
        where none is: so a rollback takes effect when it is asked for, and not when the newer version has been
        unloaded.
        """
        ordered = sorted(leases, key=lambda each: (each[1], each[0].id.version))
        self.latest = {lease.id.name: lease for lease, _ in ordered}
        self.exact = {(lease.id.name, lease.id.version): lease for lease, _ in ordered}
        for name, version in preferred.items():
            if (lease := self.exact.get((name, version))) is not None:
                self.latest[name] = lease


class Directory(Generic[ServableT]):
    """Where borrowers look. One thread at a time replaces `current`, by one store; any number read it."""

    __slots__ = ("current",)

    def __init__(self) -> None:
        self.current: ServingMap[ServableT] = ServingMap()


class Handle(Generic[ServableT]):
    """A borrowed version: `with manager.borrow("surface") as handle: handle.servable...`.

    While it is entered the version stays in memory, whatever is wished meanwhile; so borrow for one judgement, not
    for a shift. Entering costs about a microsecond and waits for nobody. One thread, once: a handle is not reused.
    """

    __slots__ = ("_directory", "_lease", "_name", "_version")

    def __init__(self, directory: Directory[ServableT], name: str, version: int | None) -> None:
        self._directory = directory
        self._name = name
        self._version = version
        self._lease: Lease[ServableT] | None = None

    def __enter__(self) -> "Handle[ServableT]":
        """Borrow. Raises: NotServing."""
        if self._lease is not None:
            raise RuntimeError("this handle is in use: borrow another")
        while True:  # turned away only by a lease whose map has been replaced: the next look finds another, or none
            serving = self._directory.current
            if self._version is None:
                lease = serving.latest.get(self._name)
            else:
                lease = serving.exact.get((self._name, self._version))
            if lease is None:
                raise NotServing(self._name, self._version)
            if lease.take(self):
                self._lease = lease
                return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back. Never waits."""
        lease = self._taken()
        self._lease = None
        lease.give_back(self)

    @property
    def id(self) -> ServableId:
        """Which version was borrowed."""
        return self._taken().id

    @property
    def servable(self) -> ServableT:
        """What was loaded. Use it inside the `with` only."""
        return self._taken().servable

    def _taken(self) -> Lease[ServableT]:
        if self._lease is None:
            raise RuntimeError("nothing is borrowed here: use the handle inside its `with`")
        return self._lease
