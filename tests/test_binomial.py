import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import binomial


def exact(hits: int, parts: int, share: Fraction) -> float:
    return float(
        sum(math.comb(parts, n) * share**n * (1 - share) ** (parts - n) for n in range(max(hits, 0), parts + 1))
    )


@given(
    parts=st.integers(min_value=0, max_value=60),
    hits=st.integers(min_value=-1, max_value=61),
    percent=st.integers(min_value=0, max_value=100),
)
def test_the_tail_is_the_exact_binomial(parts, hits, percent):
    found = binomial.tail(hits, parts, percent / 100)
    assert found == pytest.approx(exact(hits, parts, Fraction(percent, 100)), rel=1e-9, abs=1e-12)


def test_a_very_small_chance_is_exact_too():
    assert binomial.tail(30, 100, 0.02) == pytest.approx(exact(30, 100, Fraction(2, 100)), rel=1e-9)


def test_ten_million_parts_are_counted_in_no_time():
    assert 0 < binomial.tail(200_500, 10_000_000, 0.02) < 0.2
    assert binomial.tail(201_500, 10_000_000, 0.02) < 0.001
    assert binomial.tail(199_000, 10_000_000, 0.02) == pytest.approx(0.988, abs=0.002)


@pytest.mark.parametrize(
    ("hits", "parts", "bound"),
    [(0, 0, 1.0), (0, 100, 0.0295), (5, 5, 1.0), (10, 100, 0.1637), (2, 3, 0.9830)],  # R: binom.test(alt = "less")
)
def test_the_upper_bound_is_clopper_pearsons(hits, parts, bound):
    assert binomial.upper_bound(hits, parts) == pytest.approx(bound, abs=1e-4)


@pytest.mark.parametrize(("share", "parts"), [(0.01, 299), (0.001, 2995), (0.05, 59), (0.5, 5), (1.0, 1)])
def test_so_many_parts_without_a_hit_show_a_share_and_one_fewer_does_not(share, parts):
    assert binomial.needed(share) == parts
    assert binomial.upper_bound(0, parts) <= share
    assert parts == 1 or binomial.upper_bound(0, parts - 1) > share


@given(parts=st.integers(min_value=1, max_value=400), percent=st.integers(min_value=1, max_value=99))
def test_so_many_hits_are_within_a_share_and_one_more_is_not(parts, percent):
    hits = binomial.allowed(parts, percent / 100)
    if hits is None:
        assert parts < binomial.needed(percent / 100)
    else:
        assert binomial.upper_bound(hits, parts) <= percent / 100 < binomial.upper_bound(hits + 1, parts)


@pytest.mark.parametrize(
    ("hits", "parts", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 100, 0.0, 0.03621669),
        (10, 100, 0.04900469, 0.17622260),  # R: binom.test(10, 100)
        (1, 1, 0.025, 1.0),
        (5, 5, 0.4781763, 1.0),
    ],
)
def test_the_two_bounds_are_clopper_pearsons(hits, parts, low, high):
    assert binomial.bounds(hits, parts) == pytest.approx((low, high), abs=1e-7)


@given(parts=st.integers(min_value=1, max_value=400), data=st.data())
def test_at_each_bound_so_extreme_a_sample_has_a_chance_of_one_in_forty(parts, data):
    hits = data.draw(st.integers(0, parts))
    low, high = binomial.bounds(hits, parts)
    assert low <= hits / parts <= high
    assert hits == 0 or binomial.tail(hits, parts, low) == pytest.approx(0.025, rel=1e-6)
    assert hits == parts or binomial.tail(parts - hits, parts, 1 - high) == pytest.approx(0.025, rel=1e-6)


def test_the_bounds_of_ten_million_parts_are_close_to_their_rate():
    low, high = binomial.bounds(9_900_000, 10_000_000)
    assert (low, high) == pytest.approx((0.98993814, 0.99006158), abs=1e-7)
