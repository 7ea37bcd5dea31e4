"""What to load of one model, and which version serves: a pure function of the disk, the wish and what is loaded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from appliance.registry.store.held import Held


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version, as the Manager has it."""

    is_available: bool = False
    error: str | None = None
    """An attempt to load it has failed; another may follow."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What shall be."""

    load: Mapping[int, Held]
    """By version: all that shall be in memory."""
    pointer: Held | None
    """What serves; None where nothing can."""


NOT_LOADED = Loaded()


def choose(
    chain: Sequence[Held],
    beside: Iterable[Held],
    loaded: Mapping[int, Loaded],
    pointer: Held | None,
    *,
    is_kept: bool,
) -> Choice:
    """Serve the first of `chain` that can be had; what serves now goes on until then.

    `chain`: current, previous, factory, without those that cannot be loaded. `beside`: what is wished for beside it.
    `loaded` by version; `pointer`: what serves now. `is_kept`: it stays while another is loaded (room for two).
    """
    serving = _pointer(chain, loaded, pointer)
    # What is unproven is never all that there is: it would serve.
    load = {} if serving is None else {held.version: held for held in beside}
    if serving is not None and (is_kept or serving in chain[:1]):
        load[serving.version] = serving
    for held in chain:
        load[held.version] = held
        if loaded.get(held.version, NOT_LOADED).error is None:
            break
    return Choice(load, serving)


def _pointer(chain: Sequence[Held], loaded: Mapping[int, Loaded], now: Held | None) -> Held | None:
    there = [held for held in chain if loaded.get(held.version, NOT_LOADED).is_available]
    if there and there[0] is chain[0]:
        return there[0]
    if now is not None and loaded.get(now.version, NOT_LOADED).is_available:
        return now
    return there[0] if there else None
