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
    """Nobody told us for long; a revocation could be hidden from us. The line goes on."""
    update_available: bool
    """Something else than what serves is named."""


def flags_of(facts: Facts) -> Flags:
    """Pure."""
    unheard_s = facts.running_s if facts.unheard_s is None else facts.unheard_s
    return Flags(
        paused=facts.paused,
        pinned=facts.pinned,
        revoked=facts.serving_digest in facts.revoked,
        stale=unheard_s > facts.stale_after_s,
        update_available=facts.newest_digest not in {None, facts.serving_digest, *facts.revoked},
    )


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
    if serving_digest not in revoked:
        return None
    for one in held:
        if one.proven and one.digest not in revoked and one.digest != serving_digest:
            return GoTo(one.release)
    detail = f"{serving_digest} is revoked and serves on: no other release here is proven and not revoked; push one"
    return KeepAndAlarm(detail)
