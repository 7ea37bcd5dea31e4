import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.registry.deployments import shares


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
    found = shares.tail(hits, parts, percent / 100)
    assert found == pytest.approx(exact(hits, parts, Fraction(percent, 100)), rel=1e-9, abs=1e-12)


def test_a_very_small_chance_is_exact_too():
    assert shares.tail(30, 100, 0.02) == pytest.approx(exact(30, 100, Fraction(2, 100)), rel=1e-9)


def test_ten_million_parts_are_counted_in_no_time():
    assert 0 < shares.tail(200_500, 10_000_000, 0.02) < 0.2
    assert shares.tail(201_500, 10_000_000, 0.02) < 0.001
    assert shares.tail(199_000, 10_000_000, 0.02) == pytest.approx(0.988, abs=0.002)


@pytest.mark.parametrize(
    ("hits", "parts", "limit", "is_above"),
    [
        (1, 2, 0.02, False),
        (1, 1, 0.02, False),
        (5, 20, 0.02, False),
        (6, 20, 0.02, True),
        (0, 1000, 0.02, False),
        (20, 1000, 0.02, False),
        (60, 1000, 0.02, True),
        (1, 1, 0.0, True),
        (0, 0, 0.0, False),
        (1000, 1000, 1.0, False),
    ],
)
def test_few_parts_prove_little(hits, parts, limit, is_above):
    assert shares.is_above(hits, parts, limit) is is_above


def test_whoever_looks_after_each_part_stops_no_more_than_one_good_candidate_in_a_hundred():
    """True share exactly at the limit, 300 looks each: the worst case that has to be let through."""
    limit, looks, runs = 0.05, 300, 2000
    stops_at = [
        next(hits for hits in range(parts + 2) if hits > parts or shares.is_above(hits, parts, limit))
        for parts in range(looks + 1)
    ]
    draw = random.Random(4)
    stopped = 0
    for _ in range(runs):
        hits = 0
        for parts in range(1, looks + 1):
            hits += draw.random() < limit
            if hits >= stops_at[parts]:
                stopped += 1
                break
    assert stopped / runs <= shares.FALSE_ALARM


@pytest.mark.parametrize(
    ("hits", "parts", "bound"),
    [(0, 0, 1.0), (0, 100, 0.0295), (5, 5, 1.0), (10, 100, 0.1637), (2, 3, 0.9830)],  # R: binom.test(alt = "less")
)
def test_the_upper_bound_is_clopper_pearsons(hits, parts, bound):
    assert shares.upper_bound(hits, parts) == pytest.approx(bound, abs=1e-4)
