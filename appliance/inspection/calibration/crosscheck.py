"""Limits set again and again without some of the parts, and tried on those: do they stand, or hang on a few?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.inspection.calibration.placing import Budget, Placed, place
from appliance.inspection.calibration.rates import Rates, count_groups
from appliance.inspection.calibration.refusal import CalibrationRefused
from appliance.inspection.calibration.sample import Group, Sample

_ONE_BY_ONE: Final = 60
"""Up to so many groups each is left out alone; beyond, a tenth at a time."""
_TENTHS: Final = 10


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """What became of parts that had no say in the limits they were judged by."""

    rates: Rates
    ok_below: tuple[float, float]
    """The lowest and the highest that this limit became."""
    not_ok_from: tuple[float, float]
    times: int
    """How often limits were set."""


def cross_check(sample: Sample, budget: Budget) -> CrossCheck | None:
    """Leave groups out. None where there are too few to leave any out. Cost: seconds for thousands of parts."""
    if len(sample.good) + len(sample.bad) < 3:
        return None
    total: Rates | None = None
    placings: list[Placed] = []
    for left_out in _turns(sample):
        rest = sample.without(left_out)
        smaller = budget.for_fewer(len(rest.good), len(sample.good), len(rest.bad), len(sample.bad))
        try:
            placed = place(rest, smaller)
        except CalibrationRefused:
            continue
        placings.append(placed)
        rates = count_groups(left_out, sample.classes, placed.limits)
        total = rates if total is None else total + rates
    if total is None:
        return None
    ends = [limit for placed in placings for limit in placed.not_ok_from.values()]
    begins = [placed.ok_below for placed in placings]
    return CrossCheck(total, (min(begins), max(begins)), (min(ends), max(ends)), len(placings))


def _turns(sample: Sample) -> Iterator[Sequence[Group]]:
    groups = (*sample.good, *sample.bad)
    if len(groups) <= _ONE_BY_ONE:
        yield from ((group,) for group in groups)
    else:
        yield from (groups[start::_TENTHS] for start in range(_TENTHS))
