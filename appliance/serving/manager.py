"""The manager: brings what is loaded to what is wished, one step at a time, while everyone keeps borrowing."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Generic, TypeVar

from appliance.serving.basic_manager import BasicManager
from appliance.serving.errors import ServingError
from appliance.serving.executor import ExecutorFactory, ThreadExecutor
from appliance.serving.handle import Directory, Handle
from appliance.serving.harness import Harness
from appliance.serving.ids import ServableId
from appliance.serving.loader import Loader
from appliance.serving.monitor import ServableStateMonitor
from appliance.serving.policy import Action, AspiredVersion, Policy, Unload
from appliance.serving.resources import ResourceTracker
from appliance.serving.state import HarnessState, ServableState

logger = logging.getLogger(__name__)

ServableT = TypeVar("ServableT")

Wish = Mapping[int, Loader[ServableT] | ServingError]
"""Every version wanted of one name."""


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Manager(Generic[ServableT]):
    """Owns every loaded version, and follows the wishes that sources aspire.

    Threads: any may call anything; steps exclude each other, and one thread at least has to take them. Its own threads
    are those of the executors, which load and unload.

    A wish is whole and is kept: each step compares it with what is managed. From this follows:
    - A version that left the wish and comes back while it loads or serves stays as it is, in place. One that was
      cancelled, or is already on its way out, is loaded again, by the wish's loader, when it has gone.
    - A load whose version was withdrawn is cancelled, where its loader can be, and otherwise unloaded as soon as it
      ends; it is never served.
    - A version that failed is tried again when the wish names another loader for it than the one that failed; a
      source makes another one exactly when the content changed. An error in a loader's place replaces nothing.
    - A version that loads or serves keeps its loader, whatever the wish says of its content.
    - The latest version is the preferred one, or else the highest that is aspired: a rollback to what is still loaded
      is one store away.
    """

    def __init__(
        self,
        policy: Policy,
        resources: ResourceTracker | None = None,
        *,
        max_load_retries: int = 2,
        load_retry_interval_s: float = 5.0,
        executors: ExecutorFactory = ThreadExecutor,
        monitor: ServableStateMonitor | None = None,
        clock: Callable[[], datetime] = _utc_now,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start nothing yet. `resources` None: nothing is counted. A load is one attempt and `max_load_retries` more.

        `clock` is for showing (UTC); `monotonic_s` says when a next attempt is due.
        """
        self.monitor = monitor if monitor is not None else ServableStateMonitor()
        self._policy = policy
        self._basic: BasicManager[ServableT] = BasicManager(
            resources,
            self.monitor,
            max_load_retries=max_load_retries,
            load_retry_interval_s=load_retry_interval_s,
            executors=executors,
            clock=clock,
            monotonic_s=monotonic_s,
        )
        self._stepping = threading.Lock()  # held by whoever steps
        self._wishing = threading.Lock()
        self._wishes: dict[str, Wish[ServableT]] = {}  # guarded by _wishing
        self._is_stopped = False  # guarded by _wishing

    def aspire(self, name: str, versions: Wish[ServableT]) -> None:
        """Wish for exactly these versions of `name`: see `Aspire`. Returns at once; a later step acts on it."""
        wish = {ServableId(name, version).version: payload for version, payload in versions.items()}
        with self._wishing:
            if not self._is_stopped:
                self._wishes[name] = wish

    def borrow(self, name: str, version: int | None = None) -> Handle[ServableT]:
        """Borrow a version, or without one the latest: `with manager.borrow("surface") as handle: ...`.

        Entering the handle raises NotServing; it takes about a microsecond and waits for nobody.
        """
        return self._basic.borrow(name, version)

    def prefer(self, name: str, version: int | None) -> None:
        """What a borrow without a version gets from now on, while that version is available; None: the latest again.

        Microseconds: one store of another map, from any thread. Handles that are entered keep theirs. It neither loads
        nor unloads anything, and stays in force for when the version becomes available.
        """
        self._basic.prefer(name, version)

    @property
    def directory(self) -> Directory[ServableT]:
        """Where its handles look; for managers that are built on this one."""
        return self._basic.directory

    def states(self, name: str | None = None) -> list[ServableState]:
        """Every version known and those that ended last; by name, the newest version first."""
        return self.monitor.states(name)

    def step(self) -> Action | None:
        """Compare the wishes with what is managed, and begin one load or unload; None where there is none to begin.

        Takes microseconds: what takes long is handed to the executors. Unloads go before loads.
        """
        with self._stepping:
            with self._wishing:
                wishes = dict(self._wishes)
            for name, wish in wishes.items():
                self._reconcile(name, wish)
            self._basic.resume_loads()
            action = self._next_action(wishes)
            if action is not None:
                self._begin(action)
        self.monitor.tell()
        return action

    def run(self, stop: threading.Event, *, tick_s: float = 0.1) -> None:
        """Step until `stop` is set, looking every `tick_s`. The caller's thread is the manager's until then."""
        while not stop.wait(tick_s):
            while self.step() is not None:
                pass

    def step_until(self, is_over: Callable[[], bool], timeout_s: float, *, tick_s: float = 0.1) -> bool:
        """Step, at each change and each `tick_s`, until `is_over` says so: how a thread waits where none steps.

        False where it was not over after `timeout_s`.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            seen = self._basic.changes
            while self.step() is not None:
                pass
            if is_over():
                return True
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            self._basic.wait_for_change(seen, min(left_s, tick_s))

    def decided(self, wanted: ServableId, loader: Loader[ServableT]) -> ServableState | None:
        """What came of this very loader: the version is AVAILABLE, or at its END with an error; None: neither yet."""
        return self._basic.decided(wanted, loader)

    def set_load_threads(self, threads: int) -> int:
        """Load with so many threads at once from now on; returns how many there were. Loads under way go on."""
        with self._stepping:
            return self._basic.set_load_threads(threads)

    def stop(self, timeout_s: float) -> Sequence[ServableId]:
        """Wish for nothing, and unload everything; further wishes are ignored.

        Returns after at most about `timeout_s` seconds, with what is left: versions still borrowed, or whose loader
        does not return. Nothing left: no thread of the manager's is left either.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._wishing:
            self._is_stopped = True
            self._wishes = {name: {} for name in self._wishes}
        self.step_until(lambda: not self._basic.harnesses(), timeout_s)
        with self._stepping:
            self._basic.stop_executors(max(0.0, deadline_s - time.monotonic()))
        left = sorted(harness.id for harness in self._basic.harnesses())
        for each in left:
            logger.warning("%s is still borrowed or busy after %g s and was not unloaded", each, timeout_s)
        return left

    def _reconcile(self, name: str, wish: Wish[ServableT]) -> None:
        for harness in self._basic.harnesses(name):
            self._basic.want(harness, is_aspired=harness.id.version in wish)
            if _is_over(harness, wish.get(harness.id.version)):
                self._basic.forget(harness)
        managed = {harness.id.version for harness in self._basic.harnesses(name)}
        for version in sorted(wish.keys() - managed):
            self._basic.manage(ServableId(name, version), wish[version])
        if not wish and not managed:
            self._forget_wish(name, wish)

    def _forget_wish(self, name: str, wish: Wish[ServableT]) -> None:
        with self._wishing:
            if self._wishes.get(name) is wish:
                del self._wishes[name]

    def _next_action(self, wishes: Mapping[str, Wish[ServableT]]) -> Action | None:
        """One action of the policy's over all names; unloads first, since they make room."""
        wanted = [self._policy(self._as_policies_see(name, wish)) for name, wish in wishes.items()]
        actions = [action for action in wanted if action is not None]
        return min(actions, key=lambda action: not isinstance(action, Unload), default=None)

    def _as_policies_see(self, name: str, wish: Wish[ServableT]) -> list[AspiredVersion]:
        """What is on its way out counts as aspired where it is wished for again: it will be loaded when it has gone."""
        return [
            AspiredVersion(harness.id, harness.state, is_aspired=harness.id.version in wish)
            for harness in self._basic.harnesses(name)
        ]

    def _begin(self, action: Action) -> None:
        if isinstance(action, Unload):
            self._basic.unload(action.id)
        else:
            self._basic.load(action.id)


def _is_over(harness: Harness[ServableT], payload: Loader[ServableT] | ServingError | None) -> bool:
    """Whether to forget it: gone and not wanted, or failed and wanted with other content."""
    if not harness.is_aspired:
        return harness.holds_nothing
    has_failed = harness.state is HarnessState.ERROR
    return has_failed and not isinstance(payload, ServingError) and payload is not harness.loader
