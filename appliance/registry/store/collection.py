"""Making room: what goes first, and what never goes."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.registry.store.blobs import Blobs
from appliance.registry.store.layout import release_of
from appliance.registry.store.pointers import Pointers
from appliance.registry.store.releases import Releases

STALE_AFTER_S: Final = 7 * 86_400
"""What came of a file and was not added to for so long is given up, by the wall clock."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What `collect` took away."""

    releases: tuple[int, ...]
    blobs: int
    partials: int
    bytes: int

    def sentence(self) -> str:
        """The same for people."""
        if not (self.releases or self.blobs or self.partials):
            return "nothing to remove"
        numbers = ", ".join(map(str, self.releases)) or "none"
        return (
            f"{self.bytes / 1e6:.1f} MB freed: releases {numbers}; {self.blobs} files that no release has; "
            f"{self.partials} downloads that were given up"
        )


def superfluous(releases: Collection[int], keep: int, untouchable: Collection[int], factory: int | None) -> list[int]:
    """Which of `releases` go, oldest first: those beyond the newest `keep`, but never an untouchable one.

    The factory's does not count among them.
    """
    newest_first = sorted((release for release in releases if release != factory), reverse=True)
    return sorted(release for release in newest_first[max(0, keep) :] if release not in untouchable)


def collect(
    blobs: Blobs, releases: Releases, pointers: Pointers, keep: int, protected: Collection[int], wanted: Collection[str]
) -> Collected:
    """One round. One thread at a time; raises OSError."""
    names = {release_of(name): name for name in releases.names()}
    named = {release_of(name) for name in pointers.named()}
    factory = pointers.read("factory")
    going: Sequence[int] = superfluous(
        names.keys(), keep, {*protected, *named, 0}, None if factory is None else release_of(factory)
    )
    for release in going:
        releases.remove(names[release])
    needed = {*wanted, *blobs.asked}
    loose, loose_bytes = blobs.sweep(needed)
    stale, stale_bytes = blobs.sweep_partials(needed, time.time() - STALE_AFTER_S)
    return Collected(tuple(going), loose, stale, loose_bytes + stale_bytes)
