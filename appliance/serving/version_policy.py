"""Which of the versions on disk are wanted."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latest:
    """The `count` highest versions."""

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise RuntimeError(f"the latest {self.count} versions are no wish; wish for no servable instead")

    def choose(self, present: Iterable[int]) -> list[int]:
        """The wanted ones of those present, the newest first."""
        return sorted(present, reverse=True)[: self.count]


@dataclass(frozen=True, slots=True)
class All:
    """Every version."""

    def choose(self, present: Iterable[int]) -> list[int]:
        """The wanted ones of those present, the newest first."""
        return sorted(present, reverse=True)


@dataclass(frozen=True, slots=True)
class Specific:
    """These versions and no other; empty: none."""

    versions: frozenset[int]

    def choose(self, present: Iterable[int]) -> list[int]:
        """The wanted ones of those present, the newest first."""
        return sorted(self.versions.intersection(present), reverse=True)


VersionPolicy = Latest | All | Specific
