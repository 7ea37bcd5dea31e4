"""From scores to an evaluation: pure functions of the scores and the limits."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from appliance.inspection.limits import Limits
from appliance.inspection.result import ClassScore, Evaluation, Reason, RegionFound


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and on which scores."""

    evaluation: Evaluation
    reason: Reason | None
    classes: tuple[ClassScore, ...]
    """Highest score first; of the worst row where there are several."""
    detail: str = ""
    regions: tuple[RegionFound, ...] = ()
    """Where people have named regions: each, with the worst of its tiles."""
    deciding: ClassScore | None = None
    """The class that is farthest beyond its limit, or came nearest to it; None where nothing could be judged."""
    excess: float = 0.0
    """How far it is beyond it; below 0 where it is within."""


_SEVERITY = {
    Evaluation.OK: 0,
    Evaluation.NOT_DECIDABLE: 1,
    Evaluation.UNDEFINED: 2,
    Evaluation.NOT_OK: 3,
}
_REASONS = {Evaluation.NOT_OK: Reason.CLASS_ABOVE_LIMIT, Evaluation.NOT_DECIDABLE: Reason.BETWEEN_LIMITS}
_NAMED_MAX: Final = 6
"""Regions, or tiles, that a result's sentence names."""


def decide(scores: Sequence[float], labels: Sequence[str], limits: Limits, region: str | None = None) -> Decision:
    """Judge one row by its scores, one per label, in the labels' order. `region`: what the row is called.

    A score that is no number or outside 0..1 makes the part Undefined: a broken model never passes a part.
    """
    if len(scores) != len(labels):
        return _undefined(f"The model gave {len(scores)} scores for {len(labels)} labels.")
    if not all(math.isfinite(score) and -1e-6 <= score <= 1 + 1e-6 for score in scores):
        return _undefined(f"The model gave scores that are no scores in 0..1: {[float(s) for s in scores]}.")
    ranked = sorted(zip(scores, labels, strict=True), key=lambda pair: -pair[0])
    classes = tuple(ClassScore(label, min(max(score, 0.0), 1.0), region) for score, label in ranked)
    evaluation, deciding, excess = _evaluate(classes, limits)
    return Decision(evaluation, _REASONS.get(evaluation), classes, deciding=deciding, excess=excess)


def worst_region(decisions: Iterable[Decision]) -> Decision:
    """The worst row's: NotOK in one is NotOK, whatever the others are; among equals the farthest beyond its limit."""
    return max(decisions, key=_badness)


def judge_part(rows: Sequence[tuple[str | None, str | None, Decision]]) -> Decision:
    """The part's decision, and what was found in each of its regions.

    `rows`: what each row of the batch is called, the region that it belongs to (None: people have named none), and what
    was decided there.
    """
    worst = worst_region(decision for _, _, decision in rows)
    if all(name is None for name, _, _ in rows):
        return worst
    # Of each region its worst tile; where no regions are named each tile speaks for itself.
    speakers: dict[str | None, tuple[str | None, Decision]] = {}
    for name, region, decision in rows:
        key = name if region is None else region
        if key not in speakers or _badness(decision) > _badness(speakers[key][1]):
            speakers[key] = (name, decision)
    named = {region for _, region, _ in rows if region is not None}
    regions = tuple(
        _found(region, speakers[region][1]) for region in speakers if region is not None and region in named
    )
    equals = [one for one in speakers.values() if one[1].evaluation is worst.evaluation]
    return replace(worst, regions=regions, detail=_detail(worst, equals))


def is_stricter(one: Evaluation, other: Evaluation) -> bool:
    """Whether `one` says worse of a part than `other`."""
    return _SEVERITY[one] > _SEVERITY[other]


def _badness(decision: Decision) -> tuple[int, float]:
    return (_SEVERITY[decision.evaluation], decision.excess)


def _evaluate(classes: Sequence[ClassScore], limits: Limits) -> tuple[Evaluation, ClassScore, float]:
    """With the class that decides, and how far it is beyond its limit."""
    above = _farthest(classes, limits.per_class)
    if above is not None and above[1] >= 0:
        return Evaluation.NOT_OK, *above
    doubted = _farthest(classes, {**limits.per_class, **limits.review})
    is_doubted = doubted is not None and doubted[1] >= 0
    found = [] if doubted is None else [doubted]
    good = next((one for one in classes if one.label == limits.good_label), None)
    if good is not None:
        short = math.inf if limits.good_min is None else limits.good_min - good.score
        is_doubted = is_doubted or short > 0
        found.append((good, short))
    deciding, excess = max(found, key=lambda pair: pair[1])
    return Evaluation.NOT_DECIDABLE if is_doubted else Evaluation.OK, deciding, excess


def _farthest(classes: Sequence[ClassScore], limits: Mapping[str, float]) -> tuple[ClassScore, float] | None:
    """The defect class that is farthest beyond its limit; None where there is no defect class."""
    return max(
        ((one, one.score - limits[one.label]) for one in classes if one.label in limits), key=_second, default=None
    )


def _second(pair: tuple[ClassScore, float]) -> float:
    return pair[1]


def _found(region: str, decision: Decision) -> RegionFound:
    deciding = decision.deciding
    if deciding is None:
        return RegionFound(region, decision.evaluation, None, None)
    return RegionFound(region, decision.evaluation, deciding.label, deciding.score)


def _detail(worst: Decision, equals: list[tuple[str | None, Decision]]) -> str:
    """`upper_left: missing 0.99; lower_right: missing 0.97`: the regions that failed, the worst first."""
    if worst.evaluation is Evaluation.OK:
        return ""
    equals.sort(key=lambda one: -one[1].excess)
    said = [f"{name}: {_shown(decision)}" for name, decision in equals[:_NAMED_MAX]]
    more = len(equals) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more else "")


def _shown(decision: Decision) -> str:
    deciding = decision.deciding
    return decision.detail if deciding is None else f"{deciding.label} {deciding.score:.2f}"


def _undefined(detail: str) -> Decision:
    return Decision(Evaluation.UNDEFINED, Reason.MODEL_FAILED, (), detail)
