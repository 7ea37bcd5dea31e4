"""Where the limits go."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from appliance import binomial
from appliance.inspection.calibration.refusal import CalibrationRefused, too_few
from appliance.inspection.calibration.sample import Cell, Group, Sample
from appliance.inspection.limits import Limits

STEP: Final = 1e-6
"""Scores are published with six figures; limits have no more."""
_LOOKED_AT: Final = 0.05
"""Where only one rate was asked for, and good and bad overlap: so many of the others at most are sent to people."""
_UNSEEN: Final = 0.001
"""Where a kind of part is missing from the sample, its scores are thought this far from the end of the scale."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rates that have to hold for all parts to come, with 95 % confidence. None: not asked for."""

    false_reject: float | None = None
    """Of the good parts, how many may be NotOK."""
    escape: float | None = None
    """Of the bad parts, how many may be OK."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many parts of the sample may lie beyond the limits: fixed by its size before a score is looked at."""

    rejects: int | None
    """Good ones at or above one limit (`cells`); None: no promise."""
    escapes: int | None
    """Bad ones below the limit; None: no promise."""
    cells: tuple[Cell, ...]
    """What has a limit of its own: the false rejects are shared out evenly among them (Bonferroni)."""

    def for_fewer(self, good: int, of_good: int, bad: int, of_bad: int) -> "Budget":
        """For a sample of `good` and `bad` parts out of so many."""
        rejects = None if self.rejects is None else self.rejects * good // max(of_good, 1)
        escapes = None if self.escapes is None else self.escapes * bad // max(of_bad, 1)
        return Budget(rejects, escapes, self.cells)


@dataclass(frozen=True, slots=True)
class Placed:
    """Limits, and what they are for."""

    limits: Limits
    ok_below: float
    """On the scale of doubt: where the band begins that people look at."""
    not_ok_from: Mapping[Cell, float]
    """Where it ends."""


def spend(sample: Sample, wanted: Wanted) -> Budget:
    """How many mistakes the sample may show. As many limits as it carries: by region and class, by class, or one.

    Raises: CalibrationRefused where a wanted rate needs more parts.
    """
    escapes = None
    if wanted.escape is not None:
        escapes = binomial.allowed(len(sample.bad), wanted.escape)
        if escapes is None:
            raise too_few(len(sample.bad), wanted.escape, kind="bad", event="an escape")
    labels = sample.classes.defects
    one = tuple((None, label) for label in labels)
    if wanted.false_reject is None:
        return Budget(None, escapes, one)
    by_region = tuple((region, label) for region in sample.regions for label in labels)
    for cells in (by_region, one) if by_region else (one,):
        rejects = binomial.allowed(len(sample.good), wanted.false_reject / len(cells))
        if rejects is not None:
            return Budget(rejects, escapes, cells)
    rejects = binomial.allowed(len(sample.good), wanted.false_reject)
    if rejects is None:
        raise too_few(len(sample.good), wanted.false_reject, kind="good", event="a false reject")
    return Budget(rejects, escapes, ())


def place(sample: Sample, budget: Budget) -> Placed:
    """The limits that keep the budget, with the band in between where people should look.

    Where all good parts of the sample lie below all bad ones, the band is the middle third of the empty space between
    them (by log-odds, because scores crowd at the ends): nobody has seen a part there. Where they overlap, the band is
    where they do, as far as a rate was asked for. Raises: CalibrationRefused where no limit can keep the budget.
    """
    ok_below = _ok_below(sample, budget)
    cells = budget.cells or ((None, ""),)
    not_ok_from = {cell: max(_not_ok_from(sample, budget, cell), ok_below) for cell in cells}
    return Placed(_limits(sample, ok_below, not_ok_from), ok_below, not_ok_from)


def _ok_below(sample: Sample, budget: Budget) -> float:
    bad = sorted(group.doubt for group in sample.bad) or [1.0 - _UNSEEN]
    good = sorted((group.doubt for group in sample.good), reverse=True) or [_UNSEEN]
    lowest_bad = bad[budget.escapes or 0]
    highest_good = good[budget.rejects or 0]
    limit = _below(lowest_bad)
    if highest_good < lowest_bad:
        limit = min(limit, _between(highest_good, lowest_bad, 1 / 3))
    elif budget.escapes is None:
        limit = max(limit, _above(good[int(len(good) * _LOOKED_AT)]))
    if limit <= 0:
        names = _names(group for group in sample.bad if group.doubt <= lowest_bad)
        raise CalibrationRefused(
            f"No limit keeps these bad parts out, the model is certain that they are good: {names}. Look whether they "
            "are in the right folder; if they are, the model has to learn them."
        )
    return min(limit, 1.0)


def _not_ok_from(sample: Sample, budget: Budget, cell: Cell) -> float:
    good = sorted((_reached(sample, group, cell) for group in sample.good), reverse=True) or [_UNSEEN]
    bad = sorted(_reached(sample, group, cell) for group in sample.bad if _is_of(group, cell)) or [1.0 - _UNSEEN]
    highest_good = good[budget.rejects or 0]
    lowest_bad = bad[min(budget.escapes or 0, len(bad) - 1)]
    limit = _above(highest_good)
    if highest_good < lowest_bad:
        limit = max(limit, _between(highest_good, lowest_bad, 2 / 3))
    elif budget.rejects is None:
        limit = min(limit, _below(bad[int(len(bad) * _LOOKED_AT)]))
    if limit > 1:
        if budget.rejects is None:
            return 1.0
        names = _names(group for group in sample.good if _reached(sample, group, cell) >= highest_good)
        raise CalibrationRefused(
            f"No limit lets these good parts pass, the model is certain that they are bad: {names}. Look whether they "
            "are in the right folder; if they are, the model has to learn them."
        )
    return limit


def _reached(sample: Sample, group: Group, cell: Cell) -> float:
    """In one region or anywhere; of one class or of the highest."""
    region, label = cell
    if label:
        return group.reached[region, label]
    return max(group.reached[region, one] for one in sample.classes.defects)


def _is_of(group: Group, cell: Cell) -> bool:
    return not cell[1] or group.kind is None or group.kind == cell[1]


def _limits(sample: Sample, ok_below: float, not_ok_from: Mapping[Cell, float]) -> Limits:
    labels = sample.classes.defects
    good = sample.classes.good_label
    good_min = None if good is None else round(1.0 - ok_below, 6)
    # Without a good class `review` alone says what is OK; with one it says the same again for each defect.
    review = dict.fromkeys(labels, ok_below)
    anywhere = {label: not_ok_from.get((None, label), not_ok_from.get((None, ""), 1.0)) for label in labels}
    regions = {
        region: {label: limit for (at, label), limit in not_ok_from.items() if at == region}
        for region in dict.fromkeys(region for region, _ in not_ok_from if region is not None)
    }
    if regions:
        anywhere = {label: max(limits[label] for limits in regions.values()) for label in labels}
    base = Limits(anywhere, good, good_min, review)
    own = {region: Limits(limits, good, good_min, review) for region, limits in regions.items()}
    return Limits(base.per_class, good, good_min, review, own)


def _between(low: float, high: float, share: float) -> float:
    """That share of the way from one score to the other, by log-odds."""
    odds = [math.log(one / (1.0 - one)) for one in (min(max(score, STEP), 1.0 - STEP) for score in (low, high))]
    return round(1.0 / (1.0 + math.exp(-(odds[0] + (odds[1] - odds[0]) * share))), 6)


def _above(score: float) -> float:
    """The next limit that the score does not reach."""
    return round(math.floor(score / STEP + STEP) * STEP + STEP, 6)


def _below(score: float) -> float:
    """The next limit that the score is above."""
    return round(math.ceil(score / STEP - STEP) * STEP - STEP, 6)


def _names(groups: Iterable[Group]) -> str:
    names = [group.name for group in groups]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
