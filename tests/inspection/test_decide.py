"""The decision: three ways, per class, and never `pass` by accident."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.inspection.decide import Limits, decide, worst_region
from appliance.inspection.errors import RecipeError
from appliance.inspection.result import Evaluation, Reason

LABELS = ("good", "scratch", "dent")
LIMITS = Limits({"scratch": 0.5, "dent": 0.7}, "good", 0.8, {"dent": 0.3})


@pytest.mark.parametrize(
    ("scores", "evaluation", "reason"),
    [
        ((0.9, 0.05, 0.05), Evaluation.OK, None),
        ((0.8, 0.1, 0.1), Evaluation.OK, None),
        ((0.79, 0.11, 0.1), Evaluation.NOT_DECIDABLE, Reason.BETWEEN_LIMITS),
        ((0.5, 0.5, 0.0), Evaluation.NOT_OK, Reason.CLASS_ABOVE_LIMIT),
        ((0.95, 0.0, 0.3), Evaluation.NOT_DECIDABLE, Reason.BETWEEN_LIMITS),
        ((0.9, 0.0, 0.7), Evaluation.NOT_OK, Reason.CLASS_ABOVE_LIMIT),
    ],
)
def test_each_class_has_its_own_limit_and_between_them_a_person_decides(scores, evaluation, reason):
    decision = decide(scores, LABELS, LIMITS)
    assert (decision.evaluation, decision.reason) == (evaluation, reason)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, 1.1])
def test_scores_that_are_no_scores_never_pass_a_part(bad):
    decision = decide((0.99, bad, 0.0), LABELS, LIMITS)
    assert decision.evaluation is Evaluation.UNDEFINED
    assert decision.reason is Reason.MODEL_FAILED


def test_a_score_too_few_is_undefined():
    assert decide((0.99, 0.01), LABELS, LIMITS).evaluation is Evaluation.UNDEFINED


def test_classes_are_reported_highest_first():
    assert [one.label for one in decide((0.2, 0.1, 0.7), LABELS, LIMITS).classes] == ["dent", "good", "scratch"]


def test_a_part_is_as_good_as_its_worst_region():
    good = decide((0.9, 0.0, 0.1), LABELS, LIMITS, "left")
    unsure = decide((0.7, 0.1, 0.1), LABELS, LIMITS, "middle")
    bad = decide((0.1, 0.9, 0.0), LABELS, LIMITS, "right")
    broken = decide((math.nan, 0.0, 0.0), LABELS, LIMITS, "top")
    assert worst_region([good, unsure]) is unsure
    assert worst_region([good, broken, unsure]) is broken
    assert worst_region([broken, bad, good]) is bad
    assert worst_region([good, bad]).classes[0].region == "right"


def test_a_model_without_a_good_class_passes_only_below_the_review_limit():
    limits = Limits({"anomaly": 0.8}, review={"anomaly": 0.4})
    limits.check(["anomaly"])
    found = [decide((score,), ["anomaly"], limits).evaluation for score in (0.39, 0.4, 0.8)]
    assert found == [Evaluation.OK, Evaluation.NOT_DECIDABLE, Evaluation.NOT_OK]


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits({"scratch": 0.5}, "good", 0.8), "limits.per_class.dent"),
        (Limits({"scratch": 0.5, "dent": 0.5, "dust": 0.5}, "good", 0.8), "limits.per_class.dust"),
        (Limits({"scratch": 0.5, "dent": 0.5}, "good"), "good_min"),
        (Limits({"scratch": 0.5, "dent": 0.5}, "fine", 0.8), "'fine'"),
        (Limits({"scratch": 1.5, "dent": 0.5}, "good", 0.8), "1.5"),
        (Limits({"scratch": 0.5, "dent": 0.5}, "good", 0.8, {"dent": 0.6}), "review"),
    ],
)
def test_limits_that_do_not_fit_the_labels_are_refused_by_name(limits, says):
    with pytest.raises(RecipeError, match=says):
        limits.check(LABELS)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_pass_always_means_every_limit_was_kept(scores):
    if decide(scores, LABELS, LIMITS).evaluation is Evaluation.OK:
        assert scores[0] >= 0.8
        assert scores[1] < 0.5
        assert scores[2] < 0.3
