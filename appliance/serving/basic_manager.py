"""The mechanism below the manager: what is managed, and how one version is loaded and unloaded."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from appliance.serving.errors import LoadCancelled, OutOfResources, ServingError
from appliance.serving.executor import Executor, ExecutorFactory, Resizable
from appliance.serving.handle import Directory, Handle, Lease, ServingMap
from appliance.serving.harness import Harness, without_frames
from appliance.serving.ids import ServableId
from appliance.serving.loader import Loader
from appliance.serving.monitor import ServableStateMonitor
from appliance.serving.resources import ResourceTracker
from appliance.serving.state import HarnessState, ServableState

logger = logging.getLogger(__name__)

_DECIDED = frozenset({HarnessState.READY, HarnessState.ERROR})

ServableT = TypeVar("ServableT")


class BasicManager(Generic[ServableT]):
    """Loads and unloads what it is told to; it has no opinion of what should be loaded.

    Threads: borrow(), prefer(), harnesses(), decided() and wait_for_change() belong to any thread; everything else to
    the one that steps.
    Loading and unloading run on executors built when first needed. Waiting costs no thread: neither the pause before
    a next attempt nor a borrower who takes long keeps one busy, so no servable can hold up another's change.
    """

    def __init__(
        self,
        resources: ResourceTracker | None,
        monitor: ServableStateMonitor,
        *,
        max_load_retries: int,
        load_retry_interval_s: float,
        executors: ExecutorFactory,
        clock: Callable[[], datetime],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._resources = resources
        self._monitor = monitor
        self._max_load_retries = max_load_retries
        self._load_retry_interval_s = load_retry_interval_s
        self._executor_factory = executors
        self._clock = clock
        self._monotonic_s = monotonic_s
        self.directory: Directory[ServableT] = Directory()
        """Where handles look."""
        self._executors: dict[str, Executor] = {}  # the stepping thread's
        self._changed = threading.Condition(threading.Lock())  # held for microseconds; borrowers never take it
        self._managed: dict[ServableId, Harness[ServableT]] = {}  # guarded by _changed, as below, harnesses too
        self._preferred: dict[str, int] = {}
        self._changes = 0

    def borrow(self, name: str, version: int | None) -> Handle[ServableT]:
        """A handle, not yet entered. Takes no lock, now or later."""
        return Handle(self.directory, name, version)

    def prefer(self, name: str, version: int | None) -> None:
        """See `Manager.prefer`."""
        with self._changed:
            if self._preferred.get(name) == version:
                return
            if version is None:
                del self._preferred[name]
            else:
                self._preferred[name] = version
            self._publish_locked()

    def harnesses(self, name: str | None = None) -> list[Harness[ServableT]]:
        """Everything managed, or what is managed of one name, in the order in which it came."""
        with self._changed:
            return [each for each in self._managed.values() if name is None or each.id.name == name]

    def decided(self, wanted: ServableId, loader: Loader[ServableT]) -> ServableState | None:
        """What came of this very loader: see `Manager.decided`."""
        with self._changed:
            harness = self._managed.get(wanted)
            is_decided = harness is not None and harness.loader is loader and harness.state in _DECIDED
            return harness.public() if harness is not None and is_decided else None

    def manage(self, new: ServableId, payload: Loader[ServableT] | ServingError) -> None:
        """Begin to manage a version; one that is an error ends at once, with that error."""
        with self._changed:
            if new in self._managed:
                raise RuntimeError(f"This servable is already being managed: {new}")
            loader = None if isinstance(payload, ServingError) else payload
            harness = Harness(new, loader, self._clock)
            self._managed[new] = harness
            self._record_locked(harness)
            if isinstance(payload, ServingError):
                self._end_locked(harness, payload)

    def forget(self, harness: Harness[ServableT]) -> None:
        """End managing a version that holds nothing; what became of it is history."""
        with self._changed:
            if not harness.holds_nothing:
                raise RuntimeError(f"{harness.id} is {harness.state.value}: it cannot be forgotten yet")
            del self._managed[harness.id]
            self._monitor.retire(harness.id)
            self._note_change_locked()

    def want(self, harness: Harness[ServableT], *, is_aspired: bool) -> None:
        """Say whether a version is wanted. What is already on its way out stays unwanted: it has to leave first."""
        with self._changed:
            if is_aspired and not harness.is_aspired and not harness.can_return:
                return
            if harness.is_aspired is not is_aspired:
                harness.is_aspired = is_aspired
                self._publish_locked()  # the latest is the latest that is wanted
            if not is_aspired and (harness.is_waiting or harness.state is HarnessState.NEW):
                self._end_locked(harness, _withdrawn(harness))
            is_to_give_up = not is_aspired and harness.can_be_cancelled
            harness.is_cancelled |= is_to_give_up
        if is_to_give_up:
            self._cancel(harness)

    def load(self, new: ServableId) -> None:
        """Begin to load a managed version, on a load thread."""
        with self._changed:
            harness = self._managed[new]
            harness.request_load()
            harness.is_handed = True
        self._executor("load").submit(partial(self._attempt, harness))

    def resume_loads(self) -> None:
        """Go on with loads that waited: for room that is there now, or for a moment that has come."""
        with self._changed:
            waiting = [each for each in self._managed.values() if each.is_waiting]
            resumed = [each for each in waiting if self._may_go_on_locked(each)]
            for harness in resumed:
                harness.is_handed = True
                harness.retry_at_s = None
        for harness in resumed:
            self._executor("load").submit(partial(self._attempt, harness))

    def unload(self, old: ServableId) -> None:
        """Take a version out of service now; unload it, on an unload thread, when its last borrower has left."""
        unloading = self._executor("unload")
        with self._changed:
            harness = self._managed[old]
            harness.request_unload()
            harness.move(HarnessState.QUIESCING)
            self._publish_locked()
            self._record_locked(harness)
            lease = harness.lease
        assert lease is not None, "what was ready has a lease"
        logger.info("%s serves no more; %d borrower(s) to wait for", old, lease.borrowers)
        lease.close(partial(unloading.submit, partial(self._unload, harness)))

    @property
    def changes(self) -> int:
        """Counts every change of what is managed."""
        return self._changes

    def wait_for_change(self, since: int, timeout_s: float) -> None:
        """Block until `changes` is no longer `since`, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != since, timeout_s)

    def set_load_threads(self, threads: int) -> int:
        """Load with so many threads from now on; returns how many there were."""
        executor = self._executor("load")
        if not isinstance(executor, Resizable):
            raise TypeError("the executor that loads cannot change its number of threads")
        return executor.resize(threads)

    def stop_executors(self, timeout_s: float) -> None:
        """Let no further task run; wait at most so long for each that runs."""
        for executor in self._executors.values():
            executor.stop(timeout_s)

    def _cancel(self, harness: Harness[ServableT]) -> None:
        logger.info("%s is withdrawn while it loads: its loader is told to give up", harness.id)
        try:
            harness.cancel()
        except ServingError as error:
            logger.warning("%s; it is unloaded when it has loaded", error)

    # --- on a load thread ---------------------------------------------------------------------------------------

    def _attempt(self, harness: Harness[ServableT]) -> None:
        """Estimate, find room, load. What came of it is in the harness's state; nothing is raised."""
        try:
            if self._may_load(harness):
                servable = harness.load()
                self._measure(harness)
                is_kept = self._keep(harness, servable)
                del servable  # from here on the lease has it, or nobody
                if not is_kept:
                    self._unload(harness, _withdrawn(harness))
        except ServingError as error:
            self._failed(harness, error)
        self._monitor.tell()

    def _may_load(self, harness: Harness[ServableT]) -> bool:
        """Count the attempt and find room; False where it was withdrawn, or waits for room. Raises: ServingError."""
        with self._changed:
            if self._is_withdrawn_locked(harness):
                return False
            harness.attempts += 1
            has_room = harness.state is HarnessState.LOADING
        estimate = harness.resources if has_room else harness.estimate()
        with self._changed:
            if self._is_withdrawn_locked(harness):
                return False
            harness.resources = estimate
            if has_room or self._admit_locked(harness):
                self._record_locked(harness)
                return True
            harness.attempts -= 1  # to wait for room is not an attempt
            harness.is_handed = False
            return False

    def _measure(self, harness: Harness[ServableT]) -> None:
        """Replace the estimate by what is really held; an impossible answer leaves the estimate in force."""
        try:
            held = harness.estimate()
            if self._resources is not None:
                self._resources.check(held)
        except ServingError as error:
            logger.warning("%s counts as estimated before it was loaded: %s", harness.id, error)
            return
        with self._changed:
            harness.resources = held

    def _keep(self, harness: Harness[ServableT], servable: ServableT) -> bool:
        """Let it serve; False where it was withdrawn while it loaded, and has to be unloaded again."""
        with self._changed:
            harness.move(HarnessState.READY)
            harness.error = None
            harness.is_handed = False
            if not harness.is_aspired:
                harness.request_unload()
                harness.move(HarnessState.QUIESCING)
                self._record_locked(harness)
                return False
            harness.lease = Lease(harness.id, servable)
            self._publish_locked()  # before the world is told
            self._record_locked(harness)
        logger.info("%s is available", harness.id)
        return True

    def _failed(self, harness: Harness[ServableT], error: ServingError) -> None:
        attempts = f"attempt {harness.attempts} of {self._max_load_retries + 1}"
        with self._changed:
            harness.is_handed = False
            if not harness.is_aspired:
                self._end_locked(harness, _withdrawn(harness))
                outcome = "it was withdrawn meanwhile"
            elif harness.may_try_again(error, self._max_load_retries):
                harness.error = without_frames(error)
                harness.retry_at_s = self._monotonic_s() + self._load_retry_interval_s
                self._record_locked(harness)
                outcome = f"the next follows in {self._load_retry_interval_s:g} s"
            else:
                self._end_locked(harness, error)
                outcome = "it is not tried again before its content changes"
        logger.warning("%s to load %s failed, %s: %s", attempts, harness.id, outcome, error)

    # --- on an unload thread; for a withdrawn load, on the load thread ------------------------------------------

    def _unload(self, harness: Harness[ServableT], reason: ServingError | None = None) -> None:
        """Unload what has drained. A late borrower who turned away may cause this a second time: then nothing."""
        with self._changed:
            if harness.state is not HarnessState.QUIESCING:
                return
            harness.move(HarnessState.QUIESCED)
            harness.move(HarnessState.UNLOADING)
            if harness.lease is not None:
                harness.lease.release()
                harness.lease = None
        try:
            harness.unload()
        except ServingError as error:
            logger.warning("%s", error)
            reason = error
        with self._changed:
            if reason is None:
                harness.move(HarnessState.DISABLED)
                self._record_locked(harness)
            else:
                self._end_locked(harness, reason)
        self._monitor.tell()

    # --- with the lock held -------------------------------------------------------------------------------------

    def _is_withdrawn_locked(self, harness: Harness[ServableT]) -> bool:
        """Whether it is not wanted any more; then it has ended."""
        if harness.is_aspired:
            return False
        self._end_locked(harness, _withdrawn(harness))
        return True

    def _may_go_on_locked(self, harness: Harness[ServableT]) -> bool:
        if harness.retry_at_s is not None:
            return harness.retry_at_s <= self._monotonic_s()
        try:
            return self._admit_locked(harness)
        except ServingError as error:
            self._end_locked(harness, error)
            return False

    def _admit_locked(self, harness: Harness[ServableT]) -> bool:
        """Reserve what it needs and let it load; False where it has to wait for room. One decision at a time.

        Raises: OutOfResources, where nothing is about to leave; UnknownResource.
        """
        others = [each for each in self._managed.values() if each.is_reserving]
        needed = harness.resources
        if self._resources is not None and needed is not None:
            self._resources.recompute([each.resources for each in others if each.resources is not None])
            if not self._resources.reserve(needed):
                shortage = OutOfResources(
                    f"Insufficient resources to load servable {harness.id}: it needs {needed}; "
                    f"in use: {self._resources.used}; there is: {self._resources.total}"
                )
                if not any(each.is_moving for each in others):
                    raise shortage
                if not isinstance(harness.error, OutOfResources):
                    harness.error = shortage
                    self._record_locked(harness)
                return False
        harness.error = None
        harness.move(HarnessState.LOAD_APPROVED)
        harness.move(HarnessState.LOADING)
        return True

    def _publish_locked(self) -> None:
        """Let borrowers see what is ready, by one store."""
        leases = [
            (each.lease, each.is_aspired)
            for each in self._managed.values()
            if each.lease is not None and each.state is HarnessState.READY
        ]
        self.directory.current = ServingMap(leases, self._preferred)

    def _end_locked(self, harness: Harness[ServableT], error: ServingError) -> None:
        harness.fail(error)
        self._record_locked(harness)

    def _record_locked(self, harness: Harness[ServableT]) -> None:
        self._monitor.record(harness.public())
        self._note_change_locked()

    def _note_change_locked(self) -> None:
        self._changes += 1
        self._changed.notify_all()

    def _executor(self, kind: str) -> Executor:
        if kind not in self._executors:
            self._executors[kind] = self._executor_factory(kind)
        return self._executors[kind]


def _withdrawn(harness: Harness[ServableT]) -> LoadCancelled:
    return LoadCancelled(f"{harness.id} was withdrawn before it was loaded: cancelled")
