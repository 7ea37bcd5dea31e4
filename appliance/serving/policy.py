"""What to do next about one name's versions. Pure functions: they see snapshots, and neither threads nor loaders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.serving.ids import ServableId
from appliance.serving.state import HarnessState


@dataclass(frozen=True, slots=True)
class AspiredVersion:
    """One managed version as a policy sees it."""

    id: ServableId
    state: HarnessState
    is_aspired: bool
    """Whether it is wanted; true also for one that is wanted again while it is on its way out."""


@dataclass(frozen=True, slots=True)
class Load:
    """Begin to load this version."""

    id: ServableId


@dataclass(frozen=True, slots=True)
class Unload:
    """Take this version out of service, and unload it when nobody borrows it any more."""

    id: ServableId


Action = Load | Unload
Policy = Callable[[Sequence[AspiredVersion]], Action | None]
"""Sees every managed version of one name; says the next step, or None."""

_GONE = frozenset({HarnessState.DISABLED, HarnessState.ERROR})


def availability_preserving(versions: Sequence[AspiredVersion]) -> Action | None:
    """Load the new before unloading the old: never nothing ready while something is wanted.

    Two versions may be in memory at once. A new version that fails leaves the old one serving.
    """
    wanted = [each for each in versions if each.is_aspired]
    stale = _stale(versions)
    serving = any(each.state is HarnessState.READY for each in wanted)
    if stale and (not wanted or serving or len(stale) > 1):
        return Unload(min(stale))
    return _newest_to_load(wanted)


def resource_preserving(versions: Sequence[AspiredVersion]) -> Action | None:
    """Unload the old before loading the new: never two in memory; between them nothing is served."""
    stale = _stale(versions)
    if stale:
        return Unload(stale[0])
    if any(not each.is_aspired and each.state not in _GONE for each in versions):
        return None
    return _newest_to_load([each for each in versions if each.is_aspired])


def _stale(versions: Sequence[AspiredVersion]) -> list[ServableId]:
    return [each.id for each in versions if not each.is_aspired and each.state is HarnessState.READY]


def _newest_to_load(wanted: Sequence[AspiredVersion]) -> Load | None:
    new = [each.id for each in wanted if each.state is HarnessState.NEW]
    return Load(max(new)) if new else None
