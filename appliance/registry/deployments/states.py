"""The states of a deployment, and which may follow which."""

import enum
from collections.abc import Mapping
from typing import Final


class State(str, enum.Enum):
    """Where one release is on its way onto this box. Values as in JSON."""

    PENDING = "pending"
    """Known and wanted; waits for its turn, its moment, or its window."""
    DOWNLOADING = "downloading"
    """The signed statement first, then what the box does not hold yet."""
    VERIFYING = "verifying"
    """Every byte, every name, both signatures."""
    STAGED = "staged"
    """Whole and verified on the disk."""
    LOADING = "loading"
    """In a process of its own."""
    ACCEPTING = "accepting"
    """Golden samples: the publisher's, and this site's."""
    SHADOWING = "shadowing"
    """Sees the line's frames, and never acts."""
    CANARY = "canary"
    """A part passes only where both models pass it."""
    ACTIVATING = "activating"
    """The pointer moves."""
    PROBATION = "probation"
    """Serves, and is watched; the one before stays in memory."""
    ROLLING_BACK = "rolling_back"

    SUCCESS = "success"
    ALREADY_INSTALLED = "already_installed"
    REJECTED = "rejected"
    """Not to be trusted: never served, nothing left, not tried again."""
    FAILED = "failed"
    """Trusted, and did not prove itself, or could not be brought here; nothing changed on the line."""
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    SUPERSEDED = "superseded"
    CANCELED = "canceled"
    TIMED_OUT = "timed_out"


_S = State
_STOPPABLE: Final = frozenset({_S.SUPERSEDED, _S.CANCELED, _S.TIMED_OUT, _S.FAILED, _S.REJECTED})
TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    _S.PENDING: frozenset({_S.DOWNLOADING, _S.ALREADY_INSTALLED, *_STOPPABLE}),
    _S.DOWNLOADING: frozenset({_S.VERIFYING, _S.ALREADY_INSTALLED, *_STOPPABLE}),
    _S.VERIFYING: frozenset({_S.STAGED, *_STOPPABLE}),
    _S.STAGED: frozenset({_S.LOADING, *_STOPPABLE}),
    _S.LOADING: frozenset({_S.ACCEPTING, *_STOPPABLE}),
    _S.ACCEPTING: frozenset({_S.SHADOWING, _S.CANARY, _S.ACTIVATING, *_STOPPABLE}),
    _S.SHADOWING: frozenset({_S.CANARY, _S.ACTIVATING, *_STOPPABLE}),
    _S.CANARY: frozenset({_S.ACTIVATING, *_STOPPABLE}),
    _S.ACTIVATING: frozenset({_S.PROBATION, _S.ROLLING_BACK, _S.FAILED}),
    _S.PROBATION: frozenset({_S.SUCCESS, _S.ROLLING_BACK}),
    _S.ROLLING_BACK: frozenset({_S.ROLLED_BACK, _S.ROLLBACK_FAILED}),
}
"""From each state that is no end, where it may go.

REJECTED after VERIFYING: revoked meanwhile, or its files changed. A canary that fails ends FAILED, not ROLLED_BACK:
both models judged, the one before never stopped serving, so there is nothing to roll back. In ACTIVATING the pointer
may have moved: the ways out are forward, ROLLING_BACK, which is a no-op where it had not, and FAILED where it surely
had not.
"""
ENDS: Final = frozenset(State) - TRANSITIONS.keys()
ON_DISK: Final = frozenset(TRANSITIONS.keys()) - {_S.PENDING, _S.DOWNLOADING, _S.VERIFYING}
"""The release lies in the store, whole and verified (`staged`: or is being put together from verified blobs)."""
BEFORE_SWITCH: Final = TRANSITIONS.keys() - {_S.ACTIVATING, _S.PROBATION, _S.ROLLING_BACK}
"""The line serves what it served before. A newer wish supersedes, and a person cancels, only here."""
SERVING: Final = frozenset({_S.PROBATION, _S.SUCCESS})
"""`current` is the candidate. In ACTIVATING and ROLLING_BACK it may be: the disk says."""
