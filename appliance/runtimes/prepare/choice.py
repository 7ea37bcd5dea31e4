"""Which engine serves: rules without I/O."""

from collections.abc import Mapping, Sequence

from appliance.runtimes.model import Engine
from appliance.runtimes.prepared import Trial

AS_FAST = 1.10
"""An engine within this factor of the fastest is as fast; the one named first in the settings is taken."""
AS_FAST_MS = 0.1
"""So is one within this time of it: no part is late for it, and a trial of a tiny model, over in milliseconds, tells no
more than that where others share the processor."""


def cost_ms(trial: Trial, threads: int) -> float:
    """On one thread its processor time counts, which other programs do not disturb; else the time by the clock."""
    return trial.cpu_p50_ms if threads == 1 else trial.p50_ms


def choose(trials: Mapping[Engine, Trial], order: Sequence[Engine], threads: int) -> tuple[Engine, dict[Engine, str]]:
    """Return the engine to take, of those with a trial, and a sentence for each of the others."""
    costs = {engine: cost_ms(trials[engine], threads) for engine in order if engine in trials}
    fastest = min(costs.values())
    enough = max(fastest * AS_FAST, fastest + AS_FAST_MS)
    chosen = next(engine for engine, cost in costs.items() if cost <= enough)
    others = {
        engine: f"{engine} takes {_shown(cost)}" + (", which is as fast" if cost <= enough else "")
        for engine, cost in costs.items()
        if engine != chosen
    }
    return chosen, others


def _shown(cost: float) -> str:
    return f"{cost:.3g} ms"


def reason(
    chosen: Engine,
    trials: Mapping[Engine, Trial],
    rejected: Mapping[Engine, str],
    order: Sequence[Engine],
    threads: int,
) -> str:
    """Why this one and not a faster one, as a sentence."""
    passed_over = [rejected[engine] for engine in order if engine in rejected and engine not in trials]
    slower = [rejected[engine] for engine in order if engine in rejected and engine in trials]
    said = "; ".join([*passed_over, *slower]) or "it is the only engine that is allowed"
    took = f" takes {_shown(cost_ms(trials[chosen], threads))}" if chosen in trials else ""
    return f"{chosen}{took}: {said}"
