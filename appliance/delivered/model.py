"""One delivered model: the disk and the wish in, loads and the pointer out, one look at a time."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from appliance.delivered.choice import NOT_LOADED, Choice, Loaded, choose
from appliance.delivered.loader import ChangedOnDisk, CheckedLoader
from appliance.delivered.tally import ReleaseTallies
from appliance.delivered.wish import Wish
from appliance.registry.errors import StoreError
from appliance.registry.store.held import Held
from appliance.runtimes.model import Model
from appliance.serving import LoadCancelled, Loader, Manager, ManagerState, NotServing, ServableId, ServableState
from appliance.status import CanaryStatus, DeliveredStatus, FeedStatus, ReleaseStatus

logger = logging.getLogger(__name__)

MakeLoader = Callable[[ServableId, Path], Loader[Model]]
_CHANGED: Final = "MODEL_CHANGED_ON_DISK"
_FELL_BACK: Final = "MODEL_FELL_BACK"
_UNREADABLE: Final = "MODEL_STORE_UNREADABLE"


class View(Protocol):
    """What is read of the store; `registry.store.view.StoreView`."""

    def current(self) -> Held | None: ...

    def previous(self) -> Held | None: ...

    def factory(self) -> Held | None: ...

    def held(self, release: int) -> Held | None: ...


@dataclass(frozen=True, slots=True)
class _Made:
    """A loader, and what it is for."""

    held: Held
    loader: Loader[Model]


class DeliveredModel:
    """Threads: look() is one thread's; status() and count() any's."""

    def __init__(
        self,
        name: str,
        view: View,
        shipped: Callable[[], Held | None],
        manager: Manager[Model],
        make: MakeLoader,
        *,
        is_kept: Callable[[], bool],
    ) -> None:
        """`shipped`: the newest version of base_path, for as long as the store has none; its digest is empty.

        `is_kept`: what serves stays in memory while another is loaded.
        """
        self.name = name
        self.tallies = ReleaseTallies()
        self._view = view
        self._shipped = shipped
        self._manager = manager
        self._make = make
        self._is_kept = is_kept
        self._made: dict[int, _Made] = {}
        self._spoilt: dict[tuple[int, str], tuple[str, str]] = {}
        """By release and digest: why it cannot be loaded; a code, and a sentence."""
        self._current: Held | None = None
        self._candidate: Held | None = None
        self._has_looked = False
        self._chosen = Choice({}, None)
        self._wanted: Sequence[Held] = ()
        self._missing: Mapping[int, str] = {}
        self._trouble: tuple[str, str] | None = None
        self._swaps = 0
        self._swap_ms: float | None = None
        self._noticed_ms: float | None = None

    @property
    def pointer(self) -> Held | None:
        """What serves; None where nothing does."""
        return self._chosen.pointer

    @property
    def candidate(self) -> Held | None:
        """What is wished for beside it, and is something else; None without such."""
        return self._candidate

    @property
    def is_decided(self) -> bool:
        """Something serves, or nothing can."""
        return self._has_looked and (self.pointer is not None or not self._chosen.load)

    def look(self, wish: Wish, noticed_ns: int) -> bool:
        """Read the disk, and have the Manager hold and serve what it shall. Below a millisecond; it loads nothing.

        True where the pointer moved. `noticed_ns`: when it was known that there is something to look at.
        """
        self._trouble = None
        chain = self._chain()
        beside = self._beside(wish)
        loaded = {version: self._loaded(version) for version in self._versions(chain, beside)}
        good = [held for held in chain if not self._is_spoilt(held)]
        before = self._chosen.pointer
        chosen = choose(good, beside, loaded, before, is_kept=self._is_kept())
        has_moved = self._point(before, chosen.pointer, noticed_ns)
        self._chosen, self._wanted = chosen, beside
        self._explain(chain, loaded)
        self._aspire(chosen.load)
        self._has_looked = True
        return has_moved

    def status(self, canary: CanaryStatus | None, feed: FeedStatus | None) -> DeliveredStatus:
        """As the delivery process and the operators see it."""
        chosen, trouble = self._chosen, self._trouble
        states = {state.id.version: state for state in self._manager.states(self.name)}
        wanted = {held.release: held for held in (*self._wanted, *chosen.load.values())}
        loaded = [self._release_status(held, states.get(held.version)) for held in wanted.values()]
        loaded += [
            ReleaseStatus(release, -1, None, ManagerState.END.value, why) for release, why in self._missing.items()
        ]
        pointer = chosen.pointer
        return DeliveredStatus(
            pointer=None if pointer is None else self._release_status(pointer, states.get(pointer.version)),
            current=None if self._current is None else self._current.release,
            loaded=loaded,
            swaps=self._swaps,
            swap_ms=self._swap_ms,
            noticed_ms=self._noticed_ms,
            tallies=dict(self.tallies.snapshot()),
            canary=canary,
            feed=feed,
            code=None if trouble is None else trouble[0],
            problem=None if trouble is None else trouble[1],
        )

    def held_of(self, version: int) -> Held | None:
        """The release that a version is, of those that shall be in memory."""
        return self._chosen.load.get(version)

    # The disk ----------------------------------------------------------------------------------------------------

    def _chain(self) -> list[Held]:
        """What may serve, the best first. A `current` that cannot be read is taken for what it was."""
        current = self._read(self._view.current, self._current)
        if _key(current) != _key(self._current):
            self._spoilt.clear()  # another wish: everything may be tried again
        self._current = current
        chain: dict[tuple[int, str], Held] = {}
        for held in (current, *map(self._read, (self._view.previous, self._view.factory, self._shipped))):
            if held is not None:
                chain.setdefault(_key(held), held)
        return list(chain.values())

    def _beside(self, wish: Wish) -> list[Held]:
        found, missing = [], {}
        self._candidate = None
        for release in (*wish.keep, *(() if wish.candidate is None else (wish.candidate,))):
            held = self._read(partial(self._view.held, release))
            if held is None:
                missing[release] = f"Release {release} of {self.name} is not in the store of this box."
                continue
            found.append(held)
            if release == wish.candidate and (self.pointer is None or held.version != self.pointer.version):
                self._candidate = held
        self._missing = missing
        return found

    def _read(self, what: Callable[[], Held | None], otherwise: Held | None = None) -> Held | None:
        """`otherwise` where the store cannot be read, which is said: what is loaded goes on."""
        try:
            return what()
        except StoreError as error:
            self._trouble = (_UNREADABLE, str(error))
            return otherwise

    # What is loaded ----------------------------------------------------------------------------------------------

    def _versions(self, chain: list[Held], beside: list[Held]) -> Mapping[int, Held]:
        held = {one.version: one for one in (*beside, *reversed(chain))}
        if self.pointer is not None:
            held.setdefault(self.pointer.version, self.pointer)
        return held

    def _loaded(self, version: int) -> Loaded:
        made = self._made.get(version)
        if made is None:
            return NOT_LOADED
        decided = self._manager.decided(ServableId(self.name, version), made.loader)
        if decided is not None and decided.manager_state is ManagerState.AVAILABLE:
            return Loaded(is_available=True)
        if decided is not None and decided.error is not None and not isinstance(decided.error, LoadCancelled):
            self._spoil(made.held, decided)
        state = next((one for one in self._manager.states(self.name) if one.id.version == version), None)
        return Loaded(error=None if state is None or state.error is None else str(state.error))

    def _spoil(self, held: Held, state: ServableState) -> None:
        if _key(held) not in self._spoilt:
            code = _CHANGED if isinstance(state.error, ChangedOnDisk) else _FELL_BACK
            self._spoilt[_key(held)] = (code, str(state.error))
            logger.error("Release %d of %s cannot be loaded: %s", held.release, self.name, state.error)

    def _is_spoilt(self, held: Held) -> bool:
        """It failed to load; or its version is loaded with other content, from elsewhere."""
        made = self._made.get(held.version)
        if held.digest and made is not None and not made.held.digest:
            found = self._digest_of(held.version)
            if found is not None and found != held.digest:
                sentence = (
                    f"Version {held.version} of {self.name} is loaded from {made.held.folder} and has the digest "
                    f"{found}; release {held.release} has {held.digest}. Take that folder away and restart."
                )
                self._spoilt.setdefault(_key(held), (_CHANGED, sentence))
        return _key(held) in self._spoilt

    def _digest_of(self, version: int) -> str | None:
        try:
            with self._manager.borrow(self.name, version) as borrowed:
                return borrowed.servable.digest
        except NotServing:
            return None

    def _aspire(self, load: Mapping[int, Held]) -> None:
        """Loaders are kept as long as their version is wished for; a version that comes back gets another one."""
        self._made = {version: self._loader_of(held) for version, held in load.items()}
        self._manager.aspire(self.name, {version: made.loader for version, made in self._made.items()})
        while self._manager.step() is not None:
            pass

    def _loader_of(self, held: Held) -> _Made:
        made = self._made.get(held.version)
        if made is not None and (_key(made.held) == _key(held) or _key(made.held) not in self._spoilt):
            return made  # also from elsewhere: the same version has the same content, or was found out
        self._spoilt.pop(_key(held), None)
        inner = self._make(ServableId(self.name, held.version), held.folder)
        return _Made(held, CheckedLoader(inner, held.folder, held.digest) if held.digest else inner)

    # The pointer -------------------------------------------------------------------------------------------------

    def _point(self, before: Held | None, now: Held | None, noticed_ns: int) -> bool:
        if now is not None and before is not None and now.version == before.version:
            if now.release != before.release:
                self.tallies.renamed(now)
            return False
        begun_ns = time.monotonic_ns()
        self._manager.prefer(self.name, None if now is None else now.version)
        done_ns = time.monotonic_ns()
        if now is not None:
            self._swaps += 1
            self._swap_ms = (done_ns - begun_ns) / 1e6
            self._noticed_ms = (done_ns - noticed_ns) / 1e6
            logger.info("Release %d of %s serves: version %d, %s.", now.release, self.name, now.version, now.digest)
        if now is not None or before is not None:
            self.tallies.serves(now)
        return now is not before

    def _explain(self, chain: list[Held], loaded: Mapping[int, Loaded]) -> None:
        """Why it is not `current` that serves."""
        if self._trouble is not None or not chain:
            return
        first = chain[0]
        code, why = self._spoilt.get(_key(first)) or (_FELL_BACK, loaded[first.version].error)
        if why is None or first == self.pointer:
            return
        instead = "nothing serves" if self.pointer is None else f"release {self.pointer.release} serves instead"
        self._trouble = (code, f"Release {first.release} of {self.name} cannot be loaded, {instead}: {why}")

    def _release_status(self, held: Held, state: ServableState | None) -> ReleaseStatus:
        error = None if state is None or state.error is None else str(state.error)
        said = ManagerState.START if state is None else state.manager_state
        return ReleaseStatus(
            held.release, held.version, held.digest or self._digest_of(held.version), said.value, error
        )


def _key(held: Held | None) -> tuple[int, str]:
    return (-1, "") if held is None else (held.release, held.digest)
