"""What became of each version, for those who watch and those who wait."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Final

from appliance.serving.errors import NotAvailable
from appliance.serving.event_bus import EventBus
from appliance.serving.ids import ServableId
from appliance.serving.state import ManagerState, ServableState

Subscriber = Callable[[ServableState], None]

_ORDER: Final = list(ManagerState)
_PASSED_THROUGH: Final = frozenset({ManagerState.START, ManagerState.LOADING})


class ServableStateMonitor:
    """The newest public state of every managed version, and of the last few that have ended.

    Threads: any may call anything. The manager writes; a change is in the table before subscribers hear of it.
    """

    def __init__(self, *, ended_max: int = 64, history_max: int = 256) -> None:
        """Remember at most `ended_max` versions that are no longer managed; the oldest is forgotten first.

        `history_max`: of all changes of state, so many are kept for history(); 0: none.
        """
        self._changed = threading.Condition()
        self._managed: dict[ServableId, ServableState] = {}  # guarded by _changed, as all below
        self._ended: OrderedDict[ServableId, ServableState] = OrderedDict()
        self._ended_max = ended_max
        self._history: deque[ServableState] = deque(maxlen=history_max)
        self._bus: EventBus[ServableState] = EventBus()

    def states(self, name: str | None = None) -> list[ServableState]:
        """Every version known, or those of one name; by name, the newest version first. Microseconds."""
        with self._changed:
            known = {**self._ended, **self._managed}
        chosen = [state for state in known.values() if name is None or state.id.name == name]
        return sorted(chosen, key=lambda state: (state.id.name, -state.id.version))

    def history(self, name: str | None = None) -> list[ServableState]:
        """What happened, the oldest first: the last changes of all versions, or of one name's. Microseconds.

        A failed attempt is an entry too: of its LOADING, with the error and one attempt more.
        """
        with self._changed:
            kept = list(self._history)
        return [state for state in kept if name is None or state.id.name == name]

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Be told of every change from now on, in order, one at a time; call what is returned to end it.

        Told on the thread that made the change (stepping, loading or unloading): be quick, and never wait there.
        """
        return self._bus.subscribe(subscriber)

    def wait_until_available(self, wanted: Iterable[str | ServableId], timeout_s: float) -> None:
        """Block until each is available: of a name, some version; of an id, that one. See wait_until()."""
        self.wait_until(ManagerState.AVAILABLE, wanted, timeout_s)

    def wait_until(self, goal: ManagerState, wanted: Iterable[str | ServableId], timeout_s: float) -> None:
        """Block until each has come to `goal`: of a name, some version; of an id, that one.

        Who waits for START, LOADING or UNLOADING is content with what comes after it. END of a name is that of all
        its versions, also of those that ended before; for every other goal, only what is managed now counts.
        Ends early where one cannot come there any more: all that is managed of it has ended.
        Raises: NotAvailable, naming each that did not come to the goal, and why.
        """
        deadline = monotonic() + timeout_s
        remaining = list(wanted)
        with self._changed:
            while True:
                outlook = {each: self._known_of(each, goal) for each in remaining}
                if all(_is_decided(states, goal) for states in outlook.values()):
                    break
                left_s = deadline - monotonic()
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
        missing = {each: states for each, states in outlook.items() if not _is_at(states, goal)}
        if missing:
            raise NotAvailable(_why(missing, goal, timeout_s))

    def record(self, state: ServableState) -> None:
        """Take down a change. The manager's; called with its lock held, so that the order is that of the changes."""
        with self._changed:
            self._ended.pop(state.id, None)
            if self._managed.get(state.id) != state:
                self._history.append(state)
            self._managed[state.id] = state
            self._bus.publish(state)
            self._changed.notify_all()

    def retire(self, gone: ServableId) -> None:
        """A version is no longer managed: from now on it is history. The manager's."""
        with self._changed:
            self._ended[gone] = self._managed.pop(gone)
            while len(self._ended) > self._ended_max:
                self._ended.popitem(last=False)

    def tell(self) -> None:
        """Tell subscribers what they have not heard. The manager's; called without its lock. See `EventBus`."""
        self._bus.deliver()

    def _known_of(self, wanted: str | ServableId, goal: ManagerState) -> list[ServableState]:
        known = {**self._ended, **self._managed} if goal is ManagerState.END else self._managed
        if isinstance(wanted, str):
            return [state for state in known.values() if state.id.name == wanted]
        return [known[wanted]] if wanted in known else []


def _is_at(states: list[ServableState], goal: ManagerState) -> bool:
    if goal is ManagerState.END:
        return _have_all_ended(states)
    return any(_has_come_to(state.manager_state, goal) for state in states)


def _has_come_to(now: ManagerState, goal: ManagerState) -> bool:
    """A version passes through some states; but what ended may never have loaded, nor served."""
    if goal in _PASSED_THROUGH:
        return now is not ManagerState.END and _ORDER.index(now) >= _ORDER.index(goal)
    return now is goal or (goal is ManagerState.UNLOADING and now is ManagerState.END)


def _have_all_ended(states: list[ServableState]) -> bool:
    return bool(states) and all(state.manager_state is ManagerState.END for state in states)


def _is_decided(states: list[ServableState], goal: ManagerState) -> bool:
    """Whether waiting longer is pointless. Of a name that nobody has aspired yet, anything may still come."""
    return _have_all_ended(states) or _is_at(states, goal)


def _why(missing: Mapping[str | ServableId, list[ServableState]], goal: ManagerState, timeout_s: float) -> str:
    reasons = [_why_one(wanted, states, timeout_s) for wanted, states in missing.items()]
    goal_in_words = "become available" if goal is ManagerState.AVAILABLE else f"come to {goal.value}"
    return f"{len(missing)} servable(s) did not {goal_in_words}: {'; '.join(reasons)}"


def _why_one(wanted: str | ServableId, states: list[ServableState], timeout_s: float) -> str:
    if not states:
        return f"{wanted}: no version of it was aspired within {timeout_s:g} s"
    return ", ".join(
        f"{state.id} is {state.manager_state.value} after {state.attempts} attempt(s)"
        + (f" due to error: {state.error}" if state.error is not None else "")
        for state in sorted(states, key=lambda state: -state.id.version)
    )
