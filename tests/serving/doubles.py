"""Loaders that keep the contract, complain when others break it, and misbehave on request; and patient executors."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timezone

from appliance.serving import (
    HarnessState,
    LoadError,
    Manager,
    ManagerState,
    ResourceAllocation,
    ServableId,
    ServableState,
    availability_preserving,
    main_ram,
)

STRANGERS = set()
"""Threads that were there before the test: other packages' servers may live as long as the session."""


def own_threads(*beginnings):
    """This test's, by how their names begin."""
    return [one for one in threading.enumerate() if one not in STRANGERS and one.name.startswith(beginnings)]


class Bench:
    """Counts what the loaders of one test did."""

    def __init__(self):
        self.log = []
        self.loaded = {}
        """loader -> its servable, for those loaded now"""

    def loader(self, **wishes):
        return BenchLoader(self, **wishes)

    @property
    def loads(self):
        return sum(what == "load" for what, _ in self.log)

    @property
    def unloads(self):
        return sum(what == "unload" for what, _ in self.log)

    @property
    def held(self):
        return sum((loader.cost for loader in self.loaded), start=ResourceAllocation())


class Servable:
    """What was loaded; using it after it was unloaded is what must never happen."""

    def __init__(self, servable_id, loader):
        self.id = servable_id
        self.loader = loader
        self.is_loaded = True


class BenchLoader:
    """Outcomes are used up one per attempt, then loading succeeds: an exception is raised, None succeeds."""

    def __init__(
        self,
        bench,
        *,
        outcomes: Iterable[Exception | None] = (),
        estimates: Iterable[Exception] = (),
        cost: ResourceAllocation | None = None,
        measured: ResourceAllocation | None = None,
        during_load: Callable[[], None] | None = None,
        during_unload: Callable[[], None] | None = None,
    ):
        self.bench = bench
        self.outcomes = deque(outcomes)
        self.estimates = deque(estimates)
        self.cost = cost if cost is not None else main_ram(1)
        self.measured = measured
        self.during_load = during_load
        self.during_unload = during_unload
        self.attempts = 0
        self.servable = None
        self.is_busy = False
        self.is_done = False

    def estimate_resources(self):
        if self.estimates:
            raise self.estimates.popleft()
        if self.servable is not None and self.measured is not None:
            return self.measured
        return self.cost

    def load(self, servable_id):
        assert not self.is_busy, "two calls at the same time"
        assert self.servable is None, "loaded twice"
        assert not self.is_done, "loaded after it was unloaded"
        self.is_busy = True
        try:
            self.attempts += 1
            self.bench.log.append(("attempt", servable_id))
            if self.during_load is not None:
                self.during_load()
            outcome = self.outcomes.popleft() if self.outcomes else None
            if outcome is not None:
                raise outcome
            self.servable = Servable(servable_id, self)
            self.bench.loaded[self] = self.servable
            self.bench.log.append(("load", servable_id))
            return self.servable
        finally:
            self.is_busy = False

    def unload(self):
        assert not self.is_busy, "two calls at the same time"
        assert self.servable is not None, "unloaded before it was loaded"
        self.is_busy = True
        if self.during_unload is not None:
            self.during_unload()
        self.servable.is_loaded = False
        self.bench.log.append(("unload", self.servable.id))
        del self.bench.loaded[self]
        self.servable = None
        self.is_done = True
        self.is_busy = False


class CancellableLoader(BenchLoader):
    """Looks whether it was cancelled when its load has gone on for a while."""

    def __init__(self, *args, notices=True, **wishes):
        super().__init__(*args, **wishes)
        self.cancels = 0
        self.notices = notices
        meanwhile = self.during_load

        def look():
            if meanwhile is not None:
                meanwhile()
            if self.cancels and self.notices:
                raise LoadError("cancelled")

        self.during_load = look

    def cancel(self):
        self.cancels += 1


class HandExecutor:
    """Runs a task when the test says so, on the test's thread."""

    def __init__(self, kind):
        self.kind = kind
        self.tasks = deque()
        self.is_stopped = False

    def submit(self, task):
        if not self.is_stopped:
            self.tasks.append(task)

    def stop(self, timeout_s):
        self.is_stopped = True
        return True

    def run_one(self):
        self.tasks.popleft()()

    def run_all(self):
        while self.tasks:
            self.run_one()


class HandManager:
    """A manager whose threads and time are the test's."""

    def __init__(self, policy=availability_preserving, resources=None, **settings):
        self.now_s = 0.0
        self.executors = {}
        self.bench = Bench()
        self.told: list[ServableState] = []
        self.manager = Manager(
            policy,
            resources,
            executors=self._executor,
            clock=lambda: datetime.fromtimestamp(self.now_s, timezone.utc),
            monotonic_s=lambda: self.now_s,
            **settings,
        )
        self.manager.monitor.subscribe(self.told.append)

    def _executor(self, kind):
        assert kind not in self.executors, "one executor of a kind"
        return self.executors.setdefault(kind, HandExecutor(kind))

    def aspire(self, name, versions):
        """`versions`: version -> loader or error; or version numbers, which get new loaders."""
        if not isinstance(versions, dict):
            versions = {version: self.bench.loader() for version in versions}
        self.manager.aspire(name, versions)
        return versions

    def run(self, kind):
        """All tasks of one executor, if there is one."""
        if kind in self.executors:
            self.executors[kind].run_all()

    def tasks(self, kind):
        return len(self.executors[kind].tasks) if kind in self.executors else 0

    def settle(self):
        """Step and run everything until nothing moves (save what waits for time or borrowers)."""
        for _ in range(100):
            action = self.manager.step()
            moved = action is not None or self.tasks("load") or self.tasks("unload")
            self.run("load")
            self.run("unload")
            if not moved:
                return
        raise AssertionError("the manager does not come to rest")

    def serve(self, name, version, **wishes):
        """Bring one version into service."""
        loader = self.bench.loader(**wishes)
        self.manager.aspire(name, {version: loader})
        self.settle()
        assert self.latest(name) == version
        return loader

    def latest(self, name):
        with self.manager.borrow(name) as handle:
            return handle.id.version

    def state(self, name, version) -> ServableState:
        return next(state for state in self.manager.states(name) if state.id.version == version)

    def manager_state(self, name, version) -> ManagerState:
        return self.state(name, version).manager_state

    def harness_state(self, name, version) -> HarnessState:
        """Also what the world is not told."""
        harnesses = self.manager._basic.harnesses(name)
        return next(harness.state for harness in harnesses if harness.id.version == version)

    def history(self, name, version):
        """The public states of one version in the order in which subscribers heard of them, repeats left out."""
        heard = [s.manager_state.value for s in self.told if s.id == ServableId(name, version)]
        return [state for before, state in zip([None, *heard], heard, strict=False) if before != state]


def broken(text="the disk is unreadable"):
    return LoadError(text)
