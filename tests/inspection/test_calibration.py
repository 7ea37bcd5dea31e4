"""Limits hold their promise for parts that nobody has seen, or they are not given."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.inspection import calibration
from appliance.inspection.calibration import CalibrationRefused, Classes, LabelledPart, Sample, Wanted

TWO = Classes(("good", "bad"), "good")
FOUR = Classes(("good", "scratch", "dent", "stain"), "good")
DRAWS = 200
NOISE = 18
"""Of 200 draws 10 may break a promise of 95 %; more than 18 happen by chance in one of 200 such tests."""


def part(number, *, is_good, doubt, kind=None, group=None, region=None, classes=TWO):
    """With one row whose highest defect score is `doubt`."""
    label = kind or classes.defects[0]
    scores = [doubt if one == label else 0.0 for one in classes.labels]
    scores[0] = 1.0 - doubt
    return LabelledPart(f"p{number}", group or f"p{number}", is_good, kind, ((region, tuple(scores)),))


def sample(good, bad, classes=TWO):
    parts = [part(n, is_good=True, doubt=score, classes=classes) for n, score in enumerate(good)]
    parts += [part(n, is_good=False, doubt=score, classes=classes) for n, score in enumerate(bad, len(good))]
    return Sample.of(parts, classes)


def limits_for(drawn, **wanted):
    return calibration.place(drawn, calibration.spend(drawn, Wanted(**wanted)))


@pytest.mark.parametrize(("count", "rate"), [(299, 0.01), (400, 0.02), (60, 0.05)])
def test_of_200_draws_hardly_more_than_10_break_the_false_reject_rate_they_were_promised(count, rate):
    """Scores as of a real model: most near 0, a long tail to 1. P(score >= t) of good parts is 1 - t ** (1 / 6)."""
    draw = random.Random(7)
    broken = by_the_sample_alone = 0
    for _ in range(DRAWS):
        good = [draw.random() ** 6 for _ in range(count)]
        bad = [1 - draw.random() ** 6 for _ in range(20)]
        ends = limits_for(sample(good, bad), false_reject=rate).not_ok_from.values()
        broken += 1 - min(ends) ** (1 / 6) > rate
        by_the_sample_alone += 1 - sorted(good)[-1 - int(rate * count)] ** (1 / 6) > rate
    assert broken <= NOISE
    assert by_the_sample_alone > 2 * NOISE, "what everybody does breaks it in every second draw or so"


def test_of_200_draws_hardly_more_than_10_break_the_escape_rate_they_were_promised():
    draw = random.Random(8)
    broken = 0
    for _ in range(DRAWS):
        good = [draw.random() ** 4 for _ in range(50)]
        bad = [1 - draw.random() ** 4 for _ in range(100)]
        # P(doubt < t) of bad parts is 1 - (1 - t) ** (1 / 4)
        broken += 1 - (1 - limits_for(sample(good, bad), escape=0.03).ok_below) ** (1 / 4) > 0.03
    assert broken <= NOISE


@pytest.mark.parametrize("regions", [(None,), ("left", "right")])
def test_a_limit_for_each_class_and_region_keeps_the_rate_of_the_whole_part(regions):
    """Classes with different tails: what is true of each limit has to be true of all of them together."""
    draw = random.Random(9)
    powers = {"scratch": 3, "dent": 8, "stain": 20}
    broken = 0
    for _ in range(DRAWS // 2):
        parts = []
        for number in range(360):
            defects = {(at, label): draw.random() ** power for at in regions for label, power in powers.items()}
            rows = tuple((at, (0.5, *(defects[at, label] for label in powers))) for at in regions)
            parts.append(LabelledPart(f"{number}", f"{number}", True, None, rows))
        # Bad parts that look good leave no empty space into which the limits could be moved for safety.
        looks_good = tuple((at, (0.99, 0.001, 0.001, 0.001)) for at in regions)
        parts += [LabelledPart(f"bad {n}", f"bad {n}", False, None, looks_good) for n in range(60)]
        placed = limits_for(Sample.of(parts, FOUR), false_reject=0.05, escape=0.05)
        passes = 1.0
        for at in regions:
            for label, power in powers.items():
                passes *= placed.limits.of(at).per_class[label] ** (1 / power)
        broken += 1 - passes > 0.05
        assert len(placed.not_ok_from) == 3 * len(regions)
    assert broken <= 11  # as unlikely, of 100


def test_pictures_of_one_part_are_one_part():
    """Thirty parts with ten pictures each, all ten alike: 300 pictures do not show what 300 parts would."""
    draw = random.Random(3)
    parts = []
    for number in range(30):
        doubt = draw.random() ** 3
        parts += [
            part(10 * number + n, is_good=True, doubt=doubt * draw.uniform(0.98, 1), group=f"part {number}")
            for n in range(10)
        ]
    grouped = Sample.of(parts, TWO)
    assert (len(grouped.good), grouped.pictures) == (30, 300)
    with pytest.raises(CalibrationRefused, match=r"0 of 30 good parts shows at most 9\.5 %"):
        limits_for(grouped, false_reject=0.01)
    alone = Sample.of([LabelledPart(one.name, one.name, True, None, one.rows) for one in parts], TWO)
    assert limits_for(alone, false_reject=0.01)  # what a sample says that does not tell its parts apart


def test_what_the_sample_cannot_show_is_refused_with_what_would():
    with pytest.raises(CalibrationRefused) as refused:
        limits_for(sample([0.1] * 50, [0.9] * 10), false_reject=0.01)
    assert "0 of 50 good parts shows at most 5.8 %; for 1 % with 95 % confidence 299 of them" in str(refused.value)
    assert "249 more" in str(refused.value)
    with pytest.raises(CalibrationRefused, match="2995 of them without an escape"):
        limits_for(sample([0.1] * 400, [0.9] * 100), false_reject=0.01, escape=0.001)
    with pytest.raises(CalibrationRefused, match="no bad part in the sample"):
        limits_for(sample([0.1] * 400, []), escape=0.01)
    assert limits_for(sample([0.1] * 50, [0.9] * 10), false_reject=0.059)  # what it says that it can


def test_a_good_part_that_the_model_is_certain_to_be_bad_is_named():
    with pytest.raises(CalibrationRefused, match=r"certain that they are bad: p0\. Look whether"):
        limits_for(sample([1.0] + [0.1] * 80, [0.9] * 10), false_reject=0.05)
    with pytest.raises(CalibrationRefused, match=r"certain that they are good: p80\. Look whether"):
        limits_for(sample([0.1] * 80, [0.0] + [0.9] * 80), escape=0.05)


def test_between_good_and_bad_people_look_where_nobody_has_seen_a_part():
    placed = limits_for(sample([0.001] * 90 + [0.02], [0.98] + [0.999] * 90), false_reject=0.05, escape=0.05)
    (end,) = placed.not_ok_from.values()
    assert 0.05 < placed.ok_below < 0.3
    assert 0.7 < end < 0.95


def test_where_good_and_bad_overlap_people_look_at_the_overlap():
    good = [n / 100 for n in range(70)]
    bad = [n / 100 for n in range(30, 100)]
    placed = limits_for(sample(good, bad), false_reject=0.05, escape=0.05)
    (end,) = placed.not_ok_from.values()
    assert placed.ok_below == pytest.approx(0.3, abs=1e-5)
    assert end == pytest.approx(0.69, abs=1e-5)


def test_one_strange_bad_part_does_not_send_everything_to_people_where_no_escape_rate_is_promised():
    drawn = sample([0.01 + n / 1000 for n in range(100)], [0.02] + [0.9] * 50)
    placed = limits_for(drawn, false_reject=0.05)
    assert calibration.count(drawn, placed.limits).good_looked_at.hits <= 5
    promised = limits_for(drawn, false_reject=0.05, escape=0.06)
    assert calibration.count(drawn, promised.limits).escapes.hits == 0
    assert calibration.count(drawn, promised.limits).good_looked_at.hits > 80


def test_leaving_parts_out_shows_a_limit_that_hangs_on_one_of_them():
    steady = sample([0.05] * 30, [0.95] * 30)
    hanging = sample([0.05] * 29 + [0.6], [0.95] * 30)
    for drawn, moves in ((steady, False), (hanging, True)):
        found = calibration.cross_check(drawn, calibration.spend(drawn, Wanted(false_reject=0.1)))
        assert found.times == 60
        assert (found.rates.false_rejects.of, found.rates.escapes.of) == (30, 30)
        assert (found.not_ok_from[1] - found.not_ok_from[0] > 0.05) is moves


scores = st.one_of(st.sampled_from([0.0, 1e-9, 1e-6, 0.5, 1 - 1e-6, 1.0]), st.floats(min_value=0, max_value=1))


@given(
    good=st.lists(scores, min_size=1, max_size=90),
    bad=st.lists(scores, min_size=1, max_size=90),
    rate=st.sampled_from([0.04, 0.1, 0.5, 0.97]),
    escape=st.sampled_from([None, 0.04, 0.1, 0.5, 0.97]),
)
def test_the_limits_are_legal_and_the_sample_itself_keeps_what_was_promised(good, bad, rate, escape):
    drawn = sample(good, bad)
    try:
        budget = calibration.spend(drawn, Wanted(rate, escape))
        placed = calibration.place(drawn, budget)
    except CalibrationRefused:
        return
    placed.limits.check(TWO.labels)
    rates = calibration.count(drawn, placed.limits)
    assert rates.false_rejects.hits <= budget.rejects
    assert rates.false_rejects.bound <= rate
    if escape is not None:
        assert rates.escapes.hits <= budget.escapes
        assert rates.escapes.bound <= escape
