"""What became of each version, for those who watch and those who wait."""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from time import monotonic

from appliance.serving.errors import NotAvailable
from appliance.serving.ids import ServableId
from appliance.serving.state import ManagerState, ServableState

logger = logging.getLogger(__name__)

Subscriber = Callable[[ServableState], None]


class ServableStateMonitor:
    """The newest public state of every managed version, and of the last few that have ended.

    Threads: any may call anything. The manager writes; a change is in the table before subscribers hear of it.
    """

    def __init__(self, *, ended_max: int = 64) -> None:
        """Remember at most `ended_max` versions that are no longer managed; the oldest is forgotten first."""
        self._changed = threading.Condition()
        self._managed: dict[ServableId, ServableState] = {}  # guarded by _changed, as all below
        self._ended: OrderedDict[ServableId, ServableState] = OrderedDict()
        self._ended_max = ended_max
        self._untold: deque[ServableState] = deque()
        self._telling = threading.Lock()
        self._subscribers: tuple[Subscriber, ...] = ()

    def states(self, name: str | None = None) -> list[ServableState]:
        """Every version known, or those of one name; by name, the newest version first. Microseconds."""
        with self._changed:
            known = {**self._ended, **self._managed}
        chosen = [state for state in known.values() if name is None or state.id.name == name]
        return sorted(chosen, key=lambda state: (state.id.name, -state.id.version))

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Be told of every change from now on, in order, one at a time; call what is returned to end it.

        Told on the thread that made the change (stepping, loading or unloading): be quick, and never wait there.
        """
        with self._changed:
            self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            with self._changed:
                self._subscribers = tuple(each for each in self._subscribers if each is not subscriber)

        return unsubscribe

    def wait_until_available(self, wanted: Iterable[str | ServableId], timeout_s: float) -> None:
        """Block until each is available: of a name, some version; of an id, that one.

        Ends early where one cannot come any more: all that is managed of it has ended.
        Raises: NotAvailable, naming each that is not available, and why.
        """
        deadline = monotonic() + timeout_s
        remaining = list(wanted)
        with self._changed:
            while True:
                outlook = {each: self._managed_of(each) for each in remaining}
                if all(_is_decided(states) for states in outlook.values()):
                    break
                left_s = deadline - monotonic()
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
        missing = {each: states for each, states in outlook.items() if not _is_available(states)}
        if missing:
            raise NotAvailable(_why(missing, timeout_s))

    def record(self, state: ServableState) -> None:
        """Take down a change. The manager's; called with its lock held, so that the order is that of the changes."""
        with self._changed:
            self._ended.pop(state.id, None)
            self._managed[state.id] = state
            self._untold.append(state)
            self._changed.notify_all()

    def retire(self, gone: ServableId) -> None:
        """A version is no longer managed: from now on it is history. The manager's."""
        with self._changed:
            self._ended[gone] = self._managed.pop(gone)
            while len(self._ended) > self._ended_max:
                self._ended.popitem(last=False)

    def tell(self) -> None:
        """Tell subscribers what they have not heard. The manager's; called without its lock.

        Where another thread is telling already, that one tells this too, and this call returns at once.
        """
        while self._untold and self._telling.acquire(blocking=False):
            try:
                while self._untold:
                    state = self._untold.popleft()
                    for subscriber in self._subscribers:
                        _tell_one(subscriber, state)
            finally:
                self._telling.release()

    def _managed_of(self, wanted: str | ServableId) -> list[ServableState]:
        if isinstance(wanted, str):
            return [state for state in self._managed.values() if state.id.name == wanted]
        return [self._managed[wanted]] if wanted in self._managed else []


def _tell_one(subscriber: Subscriber, state: ServableState) -> None:
    try:
        subscriber(state)
    except Exception:  # the boundary: a subscriber's bug is not the manager's
        logger.exception("a subscriber failed at %s of %s", state.manager_state.value, state.id)


def _is_available(states: Iterable[ServableState]) -> bool:
    return any(state.manager_state is ManagerState.AVAILABLE for state in states)


def _is_decided(states: list[ServableState]) -> bool:
    """Whether waiting longer is pointless. Of a name that nobody has aspired yet, anything may still come."""
    has_ended = bool(states) and all(state.manager_state is ManagerState.END for state in states)
    return has_ended or _is_available(states)


def _why(missing: Mapping[str | ServableId, list[ServableState]], timeout_s: float) -> str:
    reasons = [_why_one(wanted, states, timeout_s) for wanted, states in missing.items()]
    return f"{len(missing)} servable(s) did not become available: {'; '.join(reasons)}"


def _why_one(wanted: str | ServableId, states: list[ServableState], timeout_s: float) -> str:
    if not states:
        return f"{wanted}: no version of it was aspired within {timeout_s:g} s"
    return ", ".join(
        f"{state.id} is {state.manager_state.value} after {state.attempts} attempt(s)"
        + (f" due to error: {state.error}" if state.error is not None else "")
        for state in sorted(states, key=lambda state: -state.id.version)
    )
