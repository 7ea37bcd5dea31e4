"""A region may have limits of its own; names that do not exist are refused with the nearest that does."""

import pytest
from pydantic import ValidationError

from appliance.inspection.errors import RecipeError
from appliance.inspection.limits import Limits, LimitsConfig

LABELS = ("present", "missing", "crooked")
REGIONS = ("upper_left", "upper_right")
SAID = {
    "good_label": "present",
    "limits": {
        "good_min": 0.7,
        "per_class": {"missing": 0.5, "crooked": 0.6},
        "review": {"crooked": 0.4},
        "regions": {"upper_left": {"per_class": {"missing": 0.9}, "good_min": 0.3}},
    },
}


def limits(**regions):
    return Limits.from_metadata({**SAID, "limits": {**SAID["limits"], "regions": regions}})


def test_what_a_region_says_goes_before_what_holds_for_all_class_by_class():
    found = Limits.from_metadata(SAID)
    found.check(LABELS, REGIONS)
    own = found.of("upper_left")
    assert (own.per_class, own.good_min, own.review) == ({"missing": 0.9, "crooked": 0.6}, 0.3, {"crooked": 0.4})
    assert own.good_label == "present"
    for region in ("upper_right", None):
        assert found.of(region).per_class == {"missing": 0.5, "crooked": 0.6}


@pytest.mark.parametrize(
    ("regions", "says"),
    [
        (
            {"upper_lef": {}},
            r"limits.regions.upper_lef is set, .* upper_left, upper_right. Did you mean 'upper_left'\?",
        ),
        ({"cover": {}}, "the regions are upper_left, upper_right.$"),
        ({"upper_left": {"per_class": {"mising": 0.5}}}, r"limits.regions.upper_left.per_class.mising .*'missing'\?"),
        ({"upper_left": {"review": {"crooked": 0.7}}}, r"upper_left.review.crooked \(0.7\) is above .*\(0.6\)"),
        ({"upper_left": {"good_min": 1.5}}, "upper_left.good_min is 1.5"),
        ({"upper_left": {"per_class": {"missing": -1}}}, "upper_left.per_class.missing is -1"),
        ({"upper_left": {"per_class": {"present": 0.5}}}, "defect classes are missing, crooked"),
    ],
)
def test_limits_of_a_region_that_cannot_be_are_refused_by_name(regions, says):
    with pytest.raises(RecipeError, match=says):
        limits(**regions).check(LABELS, REGIONS)


def test_limits_of_a_region_need_named_regions():
    with pytest.raises(RecipeError, match="the input has no named regions"):
        limits(upper_left={}).check(LABELS, ())


@pytest.mark.parametrize(
    "value", [[1], "high", {"per_class": [0.5]}, {"good_min": "much"}, {"regions": {"upper_left": 0.5}}]
)
def test_limits_in_another_form_are_refused(value):
    with pytest.raises(RecipeError, match="limits cannot be read"):
        Limits.from_metadata({**SAID, "limits": value})


def test_the_operators_file_is_closed_and_its_scores_are_scores():
    with pytest.raises(ValidationError, match="per_clas"):
        LimitsConfig.model_validate({"regions": {"left": {"per_clas": {"missing": 0.5}}}})
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        LimitsConfig.model_validate({"regions": {"left": {"good_min": 7}}})
