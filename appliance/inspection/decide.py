"""From scores to an evaluation: a pure function of the scores and the limits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from appliance.inspection.errors import RecipeError
from appliance.inspection.result import ClassScore, Evaluation, Reason, RegionFound


@dataclass(frozen=True, slots=True)
class Limits:
    """Where OK ends and NotOK begins, per class. All scores and limits are in 0..1."""

    per_class: Mapping[str, float]
    """Defect label: the part is NotOK when its score is at or above this."""
    good_label: str | None = None
    """The label that means 'nothing wrong'; None where the model has only defect classes."""
    good_min: float | None = None
    """OK needs at least this score for the good label; required where there is one."""
    review: Mapping[str, float] = field(default_factory=dict)
    """Defect label: OK needs a score below this. Without an entry the `per_class` limit stands for both."""

    def check(self, labels: Sequence[str]) -> None:
        """Raises: RecipeError where a label has no limit, or a limit no label. Nothing is guessed."""
        if self.good_label is not None and self.good_label not in labels:
            raise RecipeError(
                f"The good label {self.good_label!r} is not one of the model's labels ({_list(labels)}); "
                "set good_label to one of them."
            )
        if self.good_label is not None and self.good_min is None:
            raise RecipeError(f"No limit good_min for the good label {self.good_label!r}; set it, 0..1.")
        self._check_classes([label for label in labels if label != self.good_label])

    def _check_classes(self, defects: Sequence[str]) -> None:
        for label in defects:
            if label not in self.per_class:
                raise RecipeError(f"No limit for the class {label!r}; set limits.per_class.{label}, 0..1.")
        for name, limits in (("per_class", self.per_class), ("review", self.review)):
            for label, limit in limits.items():
                if label not in defects:
                    raise RecipeError(
                        f"limits.{name}.{label} is set, but the model's defect classes are {_list(defects)}."
                    )
                if not 0 <= limit <= 1:
                    raise RecipeError(f"limits.{name}.{label} is {limit}; it has to be in 0..1.")
        for label, limit in self.review.items():
            if limit > self.per_class[label]:
                raise RecipeError(
                    f"limits.review.{label} ({limit}) is above limits.per_class.{label} "
                    f"({self.per_class[label]}); a part would be OK and NotOK at once."
                )


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and on which scores."""

    evaluation: Evaluation
    reason: Reason | None
    classes: tuple[ClassScore, ...]
    detail: str = ""
    regions: tuple[RegionFound, ...] = ()
    """Where the part has several: each."""


_SEVERITY = {
    Evaluation.OK: 0,
    Evaluation.NOT_DECIDABLE: 1,
    Evaluation.UNDEFINED: 2,
    Evaluation.NOT_OK: 3,
}


def decide(scores: Sequence[float], labels: Sequence[str], limits: Limits, region: str | None = None) -> Decision:
    """Judge one region by its scores, one per label, in the labels' order.

    A score that is no number or outside 0..1 makes the part Undefined: a broken model never passes a part.
    """
    if len(scores) != len(labels):
        return _undefined(f"The model gave {len(scores)} scores for {len(labels)} labels.")
    if not all(math.isfinite(score) and -1e-6 <= score <= 1 + 1e-6 for score in scores):
        return _undefined(f"The model gave scores that are no scores in 0..1: {[float(s) for s in scores]}.")
    ranked = sorted(zip(scores, labels, strict=True), key=lambda pair: -pair[0])
    classes = tuple(ClassScore(label, min(max(score, 0.0), 1.0), region) for score, label in ranked)
    evaluation = _evaluate(classes, limits)
    reason = {
        Evaluation.NOT_OK: Reason.CLASS_ABOVE_LIMIT,
        Evaluation.NOT_DECIDABLE: Reason.BETWEEN_LIMITS,
    }.get(evaluation)
    return Decision(evaluation, reason, classes)


def worst_region(decisions: Sequence[Decision]) -> Decision:
    """The part's decision: that of its worst region. NotOK in one region is NotOK, whatever the others are."""
    return max(decisions, key=lambda decision: _SEVERITY[decision.evaluation])


def is_stricter(one: Evaluation, other: Evaluation) -> bool:
    """Whether `one` says worse of a part than `other`."""
    return _SEVERITY[one] > _SEVERITY[other]


def _evaluate(classes: Sequence[ClassScore], limits: Limits) -> Evaluation:
    good_enough = True
    for one in classes:
        if one.label == limits.good_label:
            good_enough = good_enough and limits.good_min is not None and one.score >= limits.good_min
        elif one.score >= limits.per_class[one.label]:
            return Evaluation.NOT_OK
        else:
            good_enough = good_enough and one.score < limits.review.get(one.label, 2.0)
    return Evaluation.OK if good_enough else Evaluation.NOT_DECIDABLE


def _undefined(detail: str) -> Decision:
    return Decision(Evaluation.UNDEFINED, Reason.MODEL_FAILED, (), detail)


def _list(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "none"
