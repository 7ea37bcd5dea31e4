"""What limits do to a sample: counted by the decision itself, with exact bounds."""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance import binomial
from appliance.inspection.calibration.sample import Classes, Group, LabelledPart, Sample
from appliance.inspection.decide import decide, worst_region
from appliance.inspection.limits import Limits
from appliance.inspection.result import Evaluation


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    hits: int
    of: int

    @property
    def bound(self) -> float:
        """What the true share is below, with 95 % confidence (Clopper-Pearson, one-sided)."""
        return binomial.upper_bound(self.hits, self.of)

    def __add__(self, other: "Share") -> "Share":
        return Share(self.hits + other.hits, self.of + other.of)


@dataclass(frozen=True, slots=True)
class Rates:
    """Of parts: a part with several pictures counts as soon as one of them does."""

    false_rejects: Share
    """Good parts that are NotOK."""
    escapes: Share
    """Bad parts that are OK."""
    good_looked_at: Share
    """Good parts that are NotDecidable: a person's time."""
    bad_looked_at: Share
    """Bad parts that are NotDecidable."""

    def __add__(self, other: "Rates") -> "Rates":
        return Rates(
            self.false_rejects + other.false_rejects,
            self.escapes + other.escapes,
            self.good_looked_at + other.good_looked_at,
            self.bad_looked_at + other.bad_looked_at,
        )


def count(sample: Sample, limits: Limits) -> Rates:
    """Some 10 µs a row of scores."""
    return count_groups((*sample.good, *sample.bad), sample.classes, limits)


def count_groups(groups: Iterable[Group], classes: Classes, limits: Limits) -> Rates:
    """The same of some of them."""
    found = [(group.is_good, {evaluate(part, classes, limits) for part in group.parts}) for group in groups]
    good = [seen for is_good, seen in found if is_good]
    bad = [seen for is_good, seen in found if not is_good]
    return Rates(
        Share(sum(Evaluation.NOT_OK in seen for seen in good), len(good)),
        Share(sum(Evaluation.OK in seen for seen in bad), len(bad)),
        Share(sum(Evaluation.NOT_DECIDABLE in seen for seen in good), len(good)),
        Share(sum(Evaluation.NOT_DECIDABLE in seen for seen in bad), len(bad)),
    )


def evaluate(part: LabelledPart, classes: Classes, limits: Limits) -> Evaluation:
    """What the box would find, by its own rule."""
    return worst_region(
        decide(scores, classes.labels, limits.of(region), region) for region, scores in part.rows
    ).evaluation
