"""What holds besides any deployment: paused, pinned, revoked, stale."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the flags follow from."""

    paused: bool
    pinned: bool
    serving_digest: str | None
    revoked: Collection[str]
    """Digests that any verified statement revokes."""
    unheard_s: float | None
    """Since a source last answered; None: never yet, then `running_s` counts."""
    running_s: float
    """Since this box looks."""
    stale_after_s: float
    newest_digest: str | None = None
    """What the source or the operators name; None: not known."""


@dataclass(frozen=True, slots=True)
class Flags:
    """As in JSON."""

    paused: bool
    pinned: bool
    revoked: bool
    """What serves is revoked."""
    stale: bool
    update_available: bool
    """Something else than what serves is named, and not taken now."""


def flags_of(facts: Facts) -> Flags:
    """Pure."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class HeldRelease:
    """One that lies in the store."""

    release: int
    digest: str
    proven: bool
    """It served here and was committed, or it is the factory's."""


@dataclass(frozen=True, slots=True)
class GoTo:
    """Serve this one instead."""

    release: int


@dataclass(frozen=True, slots=True)
class KeepAndAlarm:
    """Nothing better is here: a line without a model judges no part. It serves on, and the box says so."""

    detail: str


def when_revoked(
    serving_digest: str, held: Sequence[HeldRelease], revoked: Collection[str]
) -> GoTo | KeepAndAlarm | None:
    """What to do; None: what serves is not revoked. `held`: the one that served last comes first."""
    raise NotImplementedError
