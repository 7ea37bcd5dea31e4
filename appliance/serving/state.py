"""The states of a managed version, and what the world is told of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from appliance.serving.errors import ServingError
from appliance.serving.ids import ServableId


class HarnessState(Enum):
    """Where one managed version is on its way; each has a sentence."""

    NEW = "new", "Managed; nothing has been asked of its loader yet."
    LOAD_REQUESTED = "load-requested", "To be loaded; waits for a load thread, or for room."
    LOAD_APPROVED = "load-approved", "Room for it is reserved."
    LOADING = "loading", "Its loader is at work, or waits for the next attempt."
    READY = "ready", "Loaded; it can be borrowed."
    UNLOAD_REQUESTED = "unload-requested", "To be unloaded; it can still be borrowed."
    QUIESCING = "quiescing", "Nobody new can borrow it; those who did may finish."
    QUIESCED = "quiesced", "Nobody borrows it any more."
    UNLOADING = "unloading", "Its loader is giving everything back."
    DISABLED = "disabled", "Unloaded; it will not come back."
    ERROR = "error", "It ended otherwise than wished; its error says why."

    sentence: str

    def __new__(cls, label: str, sentence: str) -> "HarnessState":  # noqa: PYI034 - typing.Self is newer
        state = object.__new__(cls)
        state._value_ = label
        state.sentence = sentence
        return state


TRANSITIONS: Final[Mapping[HarnessState, frozenset[HarnessState]]] = {
    HarnessState.NEW: frozenset({HarnessState.LOAD_REQUESTED, HarnessState.ERROR}),
    HarnessState.LOAD_REQUESTED: frozenset({HarnessState.LOAD_APPROVED, HarnessState.ERROR}),
    HarnessState.LOAD_APPROVED: frozenset({HarnessState.LOADING, HarnessState.ERROR}),
    HarnessState.LOADING: frozenset({HarnessState.READY, HarnessState.ERROR}),
    HarnessState.READY: frozenset({HarnessState.UNLOAD_REQUESTED, HarnessState.ERROR}),
    HarnessState.UNLOAD_REQUESTED: frozenset({HarnessState.QUIESCING, HarnessState.ERROR}),
    HarnessState.QUIESCING: frozenset({HarnessState.QUIESCED, HarnessState.ERROR}),
    HarnessState.QUIESCED: frozenset({HarnessState.UNLOADING, HarnessState.ERROR}),
    HarnessState.UNLOADING: frozenset({HarnessState.DISABLED, HarnessState.ERROR}),
    HarnessState.DISABLED: frozenset({HarnessState.ERROR}),
    HarnessState.ERROR: frozenset(),
}
"""From each state, the states it may go to."""


class ManagerState(Enum):
    """What the world is told about a version; the values are TensorFlow Serving's words."""

    START = "START"
    """Known, not yet loading."""
    LOADING = "LOADING"
    """Loading; after a failed attempt, waiting for the next one."""
    AVAILABLE = "AVAILABLE"
    """Serving: visible to everyone who asks for the latest version before this is said."""
    UNLOADING = "UNLOADING"
    """No longer served; on its way out."""
    END = "END"
    """Gone, or never came; with an error where that was not the wish."""


PUBLIC: Final[Mapping[HarnessState, ManagerState]] = {
    HarnessState.NEW: ManagerState.START,
    HarnessState.LOAD_REQUESTED: ManagerState.START,
    HarnessState.LOAD_APPROVED: ManagerState.START,
    HarnessState.LOADING: ManagerState.LOADING,
    HarnessState.READY: ManagerState.AVAILABLE,
    HarnessState.UNLOAD_REQUESTED: ManagerState.AVAILABLE,
    HarnessState.QUIESCING: ManagerState.UNLOADING,
    HarnessState.QUIESCED: ManagerState.UNLOADING,
    HarnessState.UNLOADING: ManagerState.UNLOADING,
    HarnessState.DISABLED: ManagerState.END,
    HarnessState.ERROR: ManagerState.END,
}
"""What the world is told in each state."""


@dataclass(frozen=True, slots=True)
class ServableState:
    """What is known of one version at one moment."""

    id: ServableId
    manager_state: ManagerState
    error: ServingError | None
    """END: why it ended otherwise than wished. START, LOADING: why it waits, or why the last attempt failed."""
    since: datetime
    """When `manager_state` was entered; UTC, the wall clock: for showing, not for measuring."""
    attempts: int = 0
    """Attempts to load that were begun."""

    def __str__(self) -> str:
        return f"{self.manager_state.value} of {self.id}"
