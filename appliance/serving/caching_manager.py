"""A manager that loads what it is asked for, when it is asked for it."""

import copy
import threading
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import Generic, TypeVar

from appliance.serving.errors import NotAvailable, NotServing
from appliance.serving.executor import ExecutorFactory, ThreadExecutor
from appliance.serving.handle import Directory, Handle
from appliance.serving.ids import VERSION_MAX, ServableId
from appliance.serving.loader import Loader
from appliance.serving.loader_factory import LoaderFactory, Which
from appliance.serving.manager import Manager
from appliance.serving.monitor import ServableStateMonitor
from appliance.serving.policy import availability_preserving
from appliance.serving.resources import ResourceTracker
from appliance.serving.state import ServableState
from appliance.serving.turns import Turns

ServableT = TypeVar("ServableT")


class CachingManager(Generic[ServableT]):
    """Loads a version when it is first borrowed, and keeps it until it is told not to retain it, or stopped.

    Who borrows what is loaded waits for nobody, as with `Manager`. Who is first waits for the load; everyone else who
    wants that version meanwhile waits too, and others are not affected. A load that fails is the error of whoever
    caused it, and nothing is remembered of it: the next who asks causes another. What does not fit beside what is
    loaded fails so too; nothing leaves to make room for it.
    Threads: any may call anything; those who wait for a load do the stepping.
    """

    def __init__(
        self,
        factory: LoaderFactory[ServableT],
        resources: ResourceTracker | None = None,
        *,
        load_timeout_s: float = 600.0,
        max_load_retries: int = 0,
        load_retry_interval_s: float = 1.0,
        executors: ExecutorFactory = ThreadExecutor,
        monitor: ServableStateMonitor | None = None,
    ) -> None:
        """Load nothing yet. `load_timeout_s`: how long a borrower waits at most; the load goes on without it."""
        self._factory = factory
        self._load_timeout_s = load_timeout_s
        self._manager: Manager[ServableT] = Manager(
            availability_preserving,
            resources,
            max_load_retries=max_load_retries,
            load_retry_interval_s=load_retry_interval_s,
            executors=executors,
            monitor=monitor,
        )
        self.monitor = self._manager.monitor
        self._stopped = threading.Event()
        self._turns = Turns()
        self._wishing = threading.Lock()
        self._wishes: dict[str, dict[int, Loader[ServableT]]] = {}  # guarded by _wishing

    def borrow(self, name: str, version: int | None = None) -> Handle[ServableT]:
        """Borrow a version, or without one the latest that there is: `with manager.borrow("surface") as handle: ...`.

        Entering the handle loads the version where it is not loaded. It raises ServingError: NotServing where there is
        no such version, NotAvailable where it is not there in time, and otherwise what its loader raised.
        """
        return _LoadingHandle(self._manager.directory, name, version, self._latest, self._load)

    def states(self, name: str | None = None) -> list[ServableState]:
        """Every version loaded or loading, and those that ended last; by name, the newest version first."""
        return self._manager.states(name)

    def retain(self, name: str, versions: Collection[int]) -> None:
        """Unload what is loaded of `name` and not among these, each when nobody borrows it any more. Returns at once.

        For whoever hears that versions are wanted no more: `catalogue.aspire(name, wish); manager.retain(name, wish)`.
        """
        self._keep(name, lambda version: version in versions)

    def stop(self, timeout_s: float) -> Sequence[ServableId]:
        """Unload everything, and load nothing more. See `Manager`."""
        self._stopped.set()
        return self._manager.stop(timeout_s)

    def _latest(self, name: str) -> int:
        return self._factory.servable_version(name, Which.LATEST)

    def _load(self, wanted: ServableId) -> None:
        """Have a version loaded that is not; returns when it is. Raises: ServingError."""
        deadline_s = monotonic() + self._load_timeout_s
        with self._turns.take(wanted, self._load_timeout_s) as is_taken:
            if is_taken and self._has_come(wanted, deadline_s):
                return
        raise NotAvailable(f"{wanted} is still loading after {self._load_timeout_s:g} s: ask for it again later")

    def _has_come(self, wanted: ServableId, deadline_s: float) -> bool:
        """Wish for it and wait; False where the time is over before. Raises: ServingError, where it cannot come."""
        loader = self._wish(wanted)

        def is_over() -> bool:
            is_wished = self._wished(wanted) is loader and not self._stopped.is_set()
            return not is_wished or self._manager.decided(wanted, loader) is not None

        if not self._manager.step_until(is_over, deadline_s - monotonic()):
            return False
        outcome = self._manager.decided(wanted, loader)
        if outcome is None:  # it is not to be retained, or nothing is
            raise NotServing(wanted.name, wanted.version)
        if outcome.error is not None:
            self._keep(wanted.name, lambda version: version != wanted.version)
            raise copy.copy(outcome.error)  # the one that is kept must not hold the frames of who asked
        return True

    def _wish(self, wanted: ServableId) -> Loader[ServableT]:
        """The loader that brings it: one at work, whose borrower did not wait so long, or a new one."""
        loader = self._wished(wanted)
        if loader is not None:
            outcome = self._manager.decided(wanted, loader)
            if outcome is None or outcome.error is None:
                return loader
        loader = self._factory.create_loader(wanted)
        with self._wishing:
            wish = self._wishes.setdefault(wanted.name, {})
            wish[wanted.version] = loader
            self._manager.aspire(wanted.name, wish)
        return loader

    def _keep(self, name: str, is_kept: Callable[[int], bool]) -> None:
        with self._wishing:
            wish = {version: loader for version, loader in self._wishes.pop(name, {}).items() if is_kept(version)}
            if wish:
                self._wishes[name] = wish
            self._manager.aspire(name, wish)
        while self._manager.step() is not None:
            pass

    def _wished(self, wanted: ServableId) -> Loader[ServableT] | None:
        with self._wishing:
            return self._wishes.get(wanted.name, {}).get(wanted.version)


class _LoadingHandle(Handle[ServableT]):
    """A handle that has loaded what it does not find."""

    __slots__ = ("_latest", "_load")

    def __init__(
        self,
        directory: Directory[ServableT],
        name: str,
        version: int | None,
        latest: Callable[[str], int],
        load: Callable[[ServableId], None],
    ) -> None:
        super().__init__(directory, name, version)
        self._latest = latest
        self._load = load

    def __enter__(self) -> Handle[ServableT]:
        """Borrow, and wait for the load where that is needed. Raises: ServingError."""
        if self._version is None:
            self._version = self._latest(self._name)
        try:
            return super().__enter__()
        except NotServing:
            if not self._name or not 0 <= self._version <= VERSION_MAX:
                raise
        self._load(ServableId(self._name, self._version))
        return super().__enter__()
