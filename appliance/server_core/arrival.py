"""Waiting for models to serve, and saying which did not, in TensorFlow Serving's words."""

import threading
import time
from collections.abc import Collection, Iterable, Mapping
from types import TracebackType
from typing import Final

from appliance.dataplane.errors import Code, code_of
from appliance.errors import ApplianceError
from appliance.serving import LoadCancelled, ManagerState, ServableId, ServableState, ServableStateMonitor

_LOOK_S: Final = 0.2


class Arrival:
    """Listens to what becomes of models, from the moment it is entered.

    What happened before does not count: a version that ended last week says nothing of the one that was just asked
    for. One thread, as a context manager; what it hears comes from the manager's.
    """

    def __init__(self, monitor: ServableStateMonitor) -> None:
        self._monitor = monitor
        self._changed = threading.Condition()
        self._heard: set[ServableId] = set()  # guarded by _changed

    def __enter__(self) -> "Arrival":  # noqa: PYI034 - typing.Self is newer
        self._unsubscribe = self._monitor.subscribe(self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._unsubscribe()

    def wait(self, names: Collection[str], *, timeout_s: float | None, stop: threading.Event) -> Mapping[str, str]:
        """Block until each model serves or cannot come, at most so long, or until `stop` is set.

        Returns what is missing: model → `{{name: B version: 1} due to error: ...}`. Empty: all serve.
        """
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            with self._changed:
                missing = {name: states for name in sorted(names) if (states := self._missing(name)) is not None}
                left_s = _LOOK_S if end_s is None else min(_LOOK_S, end_s - time.monotonic())
                if all(_has_failed(states) for states in missing.values()) or left_s <= 0 or stop.is_set():
                    return {name: _why(name, states, timeout_s) for name, states in missing.items()}
                self._changed.wait(left_s)

    def _missing(self, name: str) -> list[ServableState] | None:
        """What was heard of a model that does not serve, the newest version first; None where it does."""
        states = self._monitor.states(name)
        if any(state.manager_state is ManagerState.AVAILABLE for state in states):
            return None
        return [state for state in states if state.id in self._heard]

    def _hear(self, state: ServableState) -> None:
        with self._changed:
            self._heard.add(state.id)
            self._changed.notify_all()


def did_not_become_available(what: str, why: Iterable[str]) -> str:
    """`2 model(s) did not become available: {{...} due to error: ..., {...}, }`."""
    reasons = list(why)
    return f"{len(reasons)} {what}(s) did not become available: {{{''.join(f'{each}, ' for each in reasons)}}}"


def because(name: str, version: int | None, error: ApplianceError | str) -> str:
    """One of these reasons, with the status as TensorFlow Serving writes it: `CODE: text`."""
    subject = f"{{name: {name}}}" if version is None else str(ServableId(name, version))
    code = Code.UNKNOWN if isinstance(error, str) else code_of(error)
    return f"{{{subject} due to error: {code.name}: {error}}}"


def _has_failed(states: list[ServableState]) -> bool:
    """Every version that was heard of has ended, and one of them badly. An unload that was wished is no failure."""
    all_ended = all(state.manager_state is ManagerState.END for state in states)
    return all_ended and any(_is_failure(state) for state in states)


def _is_failure(state: ServableState) -> bool:
    return state.error is not None and not isinstance(state.error, LoadCancelled)


def _why(name: str, states: list[ServableState], timeout_s: float | None) -> str:
    failed = next((state for state in states if _is_failure(state)), None)
    limit = "when it was waited for" if timeout_s is None else f"after {timeout_s:g} s"
    if failed is None:
        state = f"is {states[0].manager_state.value}" if states else "has no version yet"
        return because(name, states[0].id.version if states else None, f"it {state} {limit}")
    assert failed.error is not None
    return because(name, failed.id.version, failed.error)
