import random

import pytest

from appliance.registry.deployments import shares


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
