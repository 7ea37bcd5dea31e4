"""The decision: three ways, per class, and never `pass` by accident."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.inspection.decide import decide, judge_part, worst_region
from appliance.inspection.errors import RecipeError
from appliance.inspection.limits import Limits
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


def row(scores, name, region=None, limits=LIMITS):
    return (name, region, decide(scores, LABELS, limits, name))


def test_among_regions_that_fail_the_one_farthest_beyond_its_limit_speaks():
    slightly = decide((0.4, 0.51, 0.0), LABELS, LIMITS, "left")
    clearly = decide((0.0, 0.99, 0.0), LABELS, LIMITS, "right")
    assert worst_region([slightly, clearly]) is clearly
    assert worst_region([clearly, slightly]) is clearly
    strict = Limits({"scratch": 0.1, "dent": 0.7}, "good", 0.8)
    beyond = decide((0.4, 0.60, 0.0), LABELS, strict, "seam")
    assert worst_region([clearly, beyond]) is beyond, "0.60 is 0.50 beyond 0.1; 0.99 is 0.49 beyond 0.5"


def test_among_regions_between_their_limits_the_one_farthest_from_ok_speaks():
    slightly = decide((0.79, 0.1, 0.0), LABELS, LIMITS, "left")
    clearly = decide((0.55, 0.4, 0.0), LABELS, LIMITS, "right")
    assert worst_region([slightly, clearly]) is clearly
    assert clearly.deciding.label == "good"


def test_a_result_says_of_each_region_what_was_found_and_names_those_that_failed():
    found = judge_part(
        [
            row((0.01, 0.97, 0.0), "upper_left", "upper_left"),
            row((0.99, 0.0, 0.0), "upper_right", "upper_right"),
            row((0.7, 0.1, 0.0), "lower_left", "lower_left"),
            row((0.0, 0.0, 0.99), "lower_right", "lower_right"),
        ]
    )
    assert (found.evaluation, found.reason) == (Evaluation.NOT_OK, Reason.CLASS_ABOVE_LIMIT)
    assert found.detail == "upper_left: scratch 0.97; lower_right: dent 0.99"
    assert [one.as_json() for one in found.regions] == [
        {"region": "upper_left", "evaluation": "NotOK", "label": "scratch", "score": 0.97},
        {"region": "upper_right", "evaluation": "OK", "label": "good", "score": 0.99},
        {"region": "lower_left", "evaluation": "NotDecidable", "label": "good", "score": 0.7},
        {"region": "lower_right", "evaluation": "NotOK", "label": "dent", "score": 0.99},
    ]
    assert found.classes[0].region == "upper_left"


def test_a_part_that_is_ok_names_nothing_that_failed_and_shows_what_came_nearest_to_it():
    found = judge_part([row((0.99, 0.0, 0.0), "left", "left"), row((0.85, 0.1, 0.0), "right", "right")])
    assert (found.evaluation, found.detail) == (Evaluation.OK, "")
    assert found.classes[0].region == "right"


def test_any_bad_tile_fails_the_part_and_is_named_by_its_place():
    rows = [row((0.99, 0.0, 0.0), f"r{line}c{column}") for line in range(1, 11) for column in range(1, 21)]
    rows[63] = row((0.1, 0.9, 0.0), "r4c4")
    found = judge_part(rows)
    assert found.evaluation is Evaluation.NOT_OK
    assert found.classes[0].region == "r4c4"
    assert found.detail == "r4c4: scratch 0.90"
    assert found.regions == (), "200 tiles are not 200 regions"


def test_tiles_of_named_regions_are_one_finding_a_region_with_the_worst_tile_named():
    found = judge_part(
        [
            row((0.1, 0.8, 0.0), "left/r1c1", "left"),
            row((0.0, 0.9, 0.0), "left/r1c2", "left"),
            row((0.99, 0.0, 0.0), "right/r1c1", "right"),
        ]
    )
    assert [(one.region, one.score) for one in found.regions] == [("left", 0.9), ("right", 0.99)]
    assert found.classes[0].region == "left/r1c2"
    assert found.detail == "left/r1c2: scratch 0.90"


def test_a_sentence_stays_short_where_everything_failed():
    found = judge_part([row((0.0, 0.9, 0.0), f"r1c{column}") for column in range(1, 31)])
    assert found.detail.count("scratch") == 6
    assert found.detail.endswith("; and 24 more")


def test_a_region_with_scores_that_are_none_is_named_unless_another_failed():
    broken, good = row((math.nan, 0.0, 0.0), "left", "left"), row((0.99, 0.0, 0.0), "right", "right")
    found = judge_part([good, broken])
    assert (found.evaluation, found.reason) == (Evaluation.UNDEFINED, Reason.MODEL_FAILED)
    assert found.detail.startswith("left: The model gave scores that are no scores")
    assert (found.regions[1].region, found.regions[1].label, found.regions[1].score) == ("left", None, None)
    assert judge_part([broken, row((0.0, 1.0, 0.0), "right", "right")]).evaluation is Evaluation.NOT_OK


def test_a_part_without_regions_is_judged_as_before():
    found = judge_part([row((0.1, 0.9, 0.0), None)])
    assert (found.detail, found.regions, found.classes[0].region) == ("", (), None)


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=6))
def test_a_part_is_ok_only_where_every_row_is(many):
    rows = [row(scores, f"r1c{index}") for index, scores in enumerate(many)]
    assert (judge_part(rows).evaluation is Evaluation.OK) == all(one.evaluation is Evaluation.OK for _, _, one in rows)
