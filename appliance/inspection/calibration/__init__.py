"""A recipe's limits from parts whose truth is known, so that a wanted rate holds for parts that nobody has seen yet.

Two limits stand on one scale, from certainly good to certainly bad: below the first a part is OK, from the second on it
is NotOK, between them a person looks. The first is bound by the bad parts of the sample (escapes), the second by the
good ones (false rejects). Both are order statistics: with 299 good parts, a limit just above the highest of their
scores is exceeded by 1 % of all good parts or more in one of twenty samples at most. That is the same sum as the
one-sided 95 % bound of Clopper and Pearson, and it holds although the limit was taken from the sample it is counted on
(Wilks, "Determination of sample sizes for setting tolerance limits", Annals of Mathematical Statistics 12, 1941): how
many parts may lie beyond is fixed by the sample's size before a score is looked at.

Pure: no pictures, no files, no clock.
"""

from appliance.inspection.calibration.crosscheck import CrossCheck, cross_check
from appliance.inspection.calibration.placing import Budget, Placed, Wanted, place, spend
from appliance.inspection.calibration.rates import Rates, Share, count
from appliance.inspection.calibration.refusal import CalibrationRefused
from appliance.inspection.calibration.sample import Classes, Group, LabelledPart, Sample

__all__ = [
    "Budget",
    "CalibrationRefused",
    "Classes",
    "CrossCheck",
    "Group",
    "LabelledPart",
    "Placed",
    "Rates",
    "Sample",
    "Share",
    "Wanted",
    "count",
    "cross_check",
    "place",
    "spend",
]
