"""No model and no limit is judged on what it has seen."""

from collections import Counter

import pytest
from training import ballscrew_pitting, learning, metal_tags, screws, windows, xsdd_steel

pytestmark = pytest.mark.skipif(
    not learning.DATA.is_dir(), reason=f"NOT VERIFIED: the photographs are not at {learning.DATA}"
)


@pytest.mark.parametrize(("part", "folds"), [(screws, 5), (xsdd_steel, 5), (metal_tags, 3), (ballscrew_pitting, 4)])
def test_a_group_lies_on_one_side_and_every_picture_is_held_out_once(part, folds):
    held_out: Counter[str] = Counter()
    for fold in range(folds):
        parted = part.split(fold, folds)
        groups = [{case.group for case in side} for side in parted]
        assert not groups[0] & groups[1]
        assert not groups[0] & groups[2]
        assert not groups[1] & groups[2]
        held_out.update(case.path.name for case in parted.held_out)
    judged = {case.path.name for case in learning.read_cases(part.DATA) if case.row.get("phase", "late") == "late"}
    assert held_out == Counter(judged)


def test_pictures_that_are_the_same_to_the_last_bit_are_one_group():
    cases = learning.read_cases(xsdd_steel.DATA)
    assert len({case.group for case in cases}) == len({case.row["sha256"] for case in cases}) < len(cases)


@pytest.mark.parametrize(
    ("window", "truth"),
    [([0, 0, 90, 90], True), ([30, 30, 90, 90], True), ([55, 55, 90, 90], None), ([60, 60, 90, 90], False)],
)
def test_a_window_is_bad_where_it_shows_enough_of_a_defect_to_say_so(window, truth):
    assert windows.is_bad(window, [(20, 20, 40, 40)]) is truth
