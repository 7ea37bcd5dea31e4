"""What is counted adds up: intervals to totals, buckets to percentiles, moments to moments."""

import itertools
import json
import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.figures import (
    LABELS_MAX,
    LATENCY_BOUNDS_MS,
    PERCENTILE_ERROR,
    Counted,
    Figures,
    Interval,
    Latency,
    Moments,
)
from appliance.status import LATENCY_BUCKETS_MS

TIMES = st.floats(LATENCY_BOUNDS_MS[0], LATENCY_BOUNDS_MS[-1])
SCORES = st.floats(0, 1)


def latency_of(values):
    made = Latency()
    for value in values:
        made.add(value)
    return made


def moments_of(values):
    made = Moments()
    for value in values:
        made.add(value)
    return made


@given(values=st.lists(TIMES, min_size=1, max_size=300), percent=st.sampled_from((1, 50, 90, 95, 99, 100)))
def test_a_percentile_is_within_the_promised_error_of_the_exact_one(values, percent):
    exact = sorted(values)[math.ceil(percent * len(values) / 100) - 1]
    assert latency_of(values).percentile(percent / 100) == pytest.approx(exact, rel=PERCENTILE_ERROR)


@given(values=st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_the_longest_is_exact_and_no_percentile_is_beyond_it(values):
    made = latency_of(values)
    assert made.max_ms == max(values)
    assert made.percentile(0.5) <= made.percentile(0.99) <= made.max_ms
    assert made.count == len(values)


def test_nothing_measured_has_no_percentile():
    assert Latency().percentile(0.5) is None


def test_the_buckets_that_prometheus_shows_end_where_finer_ones_end():
    assert set(LATENCY_BUCKETS_MS) <= set(LATENCY_BOUNDS_MS)
    ratios = [high / low for low, high in itertools.pairwise(LATENCY_BOUNDS_MS)]
    assert math.sqrt(max(ratios)) - 1 < PERCENTILE_ERROR


@given(one=st.lists(SCORES, max_size=60), other=st.lists(SCORES, min_size=1, max_size=60))
def test_moments_of_two_intervals_are_those_of_all_their_scores(one, other):
    found, both = moments_of(one).plus(moments_of(other)), one + other
    assert (found.count, found.low, found.high) == (len(both), min(both), max(both))
    assert found.mean == pytest.approx(statistics.fmean(both), abs=1e-12)
    assert found.deviation == pytest.approx(statistics.pstdev(both), abs=1e-9)


def test_ten_million_nearly_equal_scores_keep_their_spread():
    million = moments_of([0.999, 0.9991] * 500)
    for _ in range(14):  # 16 million
        million = million.plus(million)
    assert million.count == 1000 * 2**14
    assert million.deviation == pytest.approx(0.00005, rel=1e-6)


@st.composite
def figures(draw):
    made = Figures(parts=draw(st.integers(0, 50)), passed=draw(st.integers(0, 50)))
    made.evaluations = draw(st.dictionaries(st.sampled_from(("OK", "NotOK")), st.integers(1, 9)))
    made.reasons = draw(st.dictionaries(st.sampled_from(("STOPPING", "NO_MODEL")), st.integers(1, 9)))
    made.latency = {"total": latency_of(draw(st.lists(TIMES, min_size=1, max_size=9)))}
    made.scores = {("good", None): moments_of(draw(st.lists(SCORES, min_size=1, max_size=9)))}
    made.models = {("surface", draw(st.integers(1, 3))): draw(st.integers(1, 9))}
    return made


@settings(max_examples=50)
@given(one=figures(), other=figures())
def test_figures_add_up_and_cross_to_the_gateway_unchanged(one, other):
    both = one.plus(other)
    for key in (*one.evaluations, *other.evaluations):
        assert both.evaluations[key] == one.evaluations.get(key, 0) + other.evaluations.get(key, 0)
    assert both.parts == one.parts + other.parts
    assert sum(both.models.values()) == sum(one.models.values()) + sum(other.models.values())
    assert list(both.models)[-1] == list(other.models)[-1]
    assert both.latency["total"].count == one.latency["total"].count + other.latency["total"].count

    counted = Counted(both, other, "0193", 7)
    sent = Interval("2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z", 60_000.0, None, {"top": counted}, {})
    assert Interval.from_json(json.loads(sent.to_json())) == sent


def test_the_newest_labels_are_followed_where_there_are_too_many():
    old = Figures(scores={(f"old{n}", None): moments_of([0.5]) for n in range(LABELS_MAX)})
    new = Figures(scores={("new", None): moments_of([0.5])})
    both = old.plus(new).scores
    assert len(both) == LABELS_MAX
    assert ("new", None) in both
