"""What a box remembers of one model beyond a deployment: floors, digests that failed, what an operator has set."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

_REMEMBERED: Final = 256
"""Digests that failed, and identities that were dealt with; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Immutable; saved whole in the store's journal at each change."""

    release_floor: int = -1
    """The highest release ever verified here."""
    floor_digest: str | None = None
    """The content of that release."""
    time_floor: str | None = None
    """The latest `issued` ever verified here: it cannot be earlier now. RFC 3339."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Version number: the content that it stands for."""
    revoked: tuple[str, ...] = ()
    """Digests that a verified statement revoked."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Digest: why it was refused, failed or rolled back here. Not tried again, unless by force."""
    handled: Mapping[str, str] = field(default_factory=dict)
    """Identity of a release at its place: the id of the deployment that dealt with it."""
    proven: tuple[int, ...] = ()
    """Releases that were committed here, the newest last: the last known good ones."""
    paused: str | None = None
    """By whom."""
    pinned: int | None = None
    """The release that stays."""
    pinned_by: str | None = None
    last_looked: str | None = None
    last_answer: str | None = None
    """When a registry last answered; RFC 3339."""

    def remembering(self, digest: str, why: str) -> "Facts":
        """With one more digest that is not tried again."""
        return replace(self, failed=_newest({**self.failed, digest: why}))

    def having_proven(self, release: int) -> "Facts":
        """With one more release that was committed."""
        kept = tuple(one for one in self.proven if one != release)
        return replace(self, proven=(*kept, release)[-_REMEMBERED:])

    def having_handled(self, identity: str, deployment: str) -> "Facts":
        """With one more identity that was dealt with."""
        kept = {key: value for key, value in self.handled.items() if key != identity}
        return replace(self, handled=_newest({**kept, identity: deployment}))

    def as_json(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> "Facts":
        """The inverse; of nothing: a box that knows nothing yet."""
        if value is None:
            return cls()
        return cls(**{**value, "revoked": tuple(value["revoked"]), "proven": tuple(value["proven"])})


def _newest(entries: dict[str, str]) -> dict[str, str]:
    return dict(list(entries.items())[-_REMEMBERED:])
