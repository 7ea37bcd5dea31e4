"""A fleet's manners, measured: the product's own polling, rings and spread against one registry, on virtual time.

`pytest tests/fleet -s` shows the figures of each run; `-m benchmark` the whole table.
"""

from dataclasses import replace

import pytest
from fleet.costs import DAY_S, MB, NEW_MODEL, SAME_WEIGHTS, Costs
from fleet.simulation import Fleet, Plan, Wish

BOXES = 10_000
HOUR_S = 3600.0
MEAN = BOXES / 1800
"""Requests per second where looks are spread evenly over half an hour: 5.6."""
CAPACITY = Costs().registry_requests_s


def said(what: str, fleet: Fleet) -> Fleet:
    registry, downloads = fleet.registry, fleet.downloads
    print(
        f"\n{what:<44} peak {registry.peak():>5} req/s, refused {registry.refused:>5}, unanswered "
        f"{registry.unanswered:>6}, sent {downloads.sent_bytes / 1e9:>7.1f} GB, peak "
        f"{downloads.peak_bytes_s / MB:>5.1f} MB/s, at once {downloads.most_at_once:>5}, "
        f"boxes ready {len(fleet.ready):>5} after {max(fleet.ready.values(), default=0) / HOUR_S:>5.2f} h"
    )
    return fleet


def test_a_power_cut_everywhere_and_two_hours_of_quiet():
    """All boxes start in the same second."""
    fleet = said("power on, nothing new, 2 h", Fleet(Plan(hours=2)).run())
    assert fleet.registry.peak() <= 5 * MEAN
    assert fleet.registry.mean(0, 2 * HOUR_S) == pytest.approx(MEAN, rel=0.1)
    for begin_s in range(0, 7200, 600):  # no wave comes up from the common start
        assert fleet.registry.mean(begin_s, begin_s + 600) == pytest.approx(MEAN, rel=0.25)
    bytes_a_day = fleet.looks / BOXES / (2 * HOUR_S) * DAY_S * Costs().head_bytes
    assert bytes_a_day < 30_000  # with a fresh TLS connection each time: 0.25 MB


def test_an_hour_without_the_registry_and_no_stampede_after():
    """And in its first minute somebody asks all boxes to look: all of them fail in the same second."""
    down, up = 0.5 * HOUR_S, 1.5 * HOUR_S
    plan = Plan(hours=2.25, outages=[(down, up)], looks=[(down + 60, 0)])
    registry = said("registry down for 1 h, and look now", Fleet(plan).run()).registry
    print(f"while it is down {registry.mean(up - 600, up):.1f} req/s; after: peak {registry.peak(up)} req/s")
    assert registry.refused == 0
    assert registry.mean(up - 600, up) < 30  # full jitter: half of the 15 minutes on average
    assert registry.peak(down + 1200, up) < CAPACITY / 3
    assert registry.peak(up) < CAPACITY / 3
    assert registry.mean(up + 900, up + 0.7 * HOUR_S) < 2 * MEAN


def test_look_now_in_one_second_is_survived_and_with_a_spread_not_noticed():
    hard = said("look now, no spread", Fleet(Plan(hours=0.5, looks=[(60, 0)])).run())
    assert hard.registry.peak() > 9000
    assert hard.registry.refused > 9000
    assert hard.registry.peak(70) < 2 * CAPACITY  # sent away for 30 s, they do not come back in one second
    assert hard.registry.refused < 15_000
    assert hard.registry.peak(300) < CAPACITY / 3
    soft = said("look now, spread over 10 min", Fleet(Plan(hours=0.5, looks=[(60, 600)])).run())
    assert soft.registry.refused == 0
    assert soft.registry.peak() < CAPACITY / 5


RINGS = [Wish(0, 1, 600), Wish(HOUR_S, 10, 1200), Wish(2 * HOUR_S, 100, 4 * HOUR_S)]
QUIET = Plan(period_s=86_400, hours=8)
"""Hardly any looks: these runs are about downloads."""


def test_rings_of_one_ten_and_all():
    fleet = said("rings 1 %, 10 %, 100 % (spread 4 h)", Fleet(replace(QUIET, wishes=RINGS)).run())
    begun = sorted(fleet.begun.values())
    assert sum(at < HOUR_S for at in begun) == pytest.approx(100, abs=35)
    assert sum(at < 2 * HOUR_S for at in begun) == pytest.approx(1000, abs=100)
    assert len(fleet.ready) == BOXES
    assert fleet.downloads.sent_bytes == pytest.approx(BOXES * NEW_MODEL.fetched, rel=0.001)
    assert fleet.downloads.most_at_once < 150  # nobody waits long for the registry's line
    assert fleet.registry.peak() < CAPACITY / 5
    slowest = max(fleet.ready[box] - fleet.begun[box] for box in fleet.ready)
    assert slowest < 1000
    assert max(fleet.ready.values()) < 6.3 * HOUR_S


def test_all_at_once_fills_the_registrys_line_for_hours():
    """What rings and spread are for."""
    plan = replace(QUIET, hours=3.5, wishes=[Wish(0, 100, 0)])
    fleet = said("all at once", Fleet(plan).run())
    assert fleet.downloads.most_at_once == BOXES
    assert fleet.downloads.peak_bytes_s == pytest.approx(100 * MB)
    assert min(fleet.ready.values()) > 2.5 * HOUR_S  # each gets 10 kB/s
    assert fleet.registry.peak() > CAPACITY


def test_with_site_mirrors_the_registry_sends_each_site_one_copy():
    plan = replace(QUIET, hours=3, mirrors=True, wishes=[Wish(0, 100, HOUR_S)])
    fleet = said("site mirrors, spread 1 h", Fleet(plan).run())
    assert len(fleet.ready) == BOXES
    assert fleet.downloads.sent_bytes == pytest.approx(200 * NEW_MODEL.fetched, rel=0.001)  # 20 GB, not 1 TB
    assert max(fleet.ready.values()) < 1.1 * HOUR_S


def test_a_reexport_of_the_same_weights_sends_only_what_changed():
    plan = replace(QUIET, boxes=2000, hours=2, package=SAME_WEIGHTS, wishes=[Wish(0, 100, HOUR_S)])
    fleet = said("re-export of the same weights, 2000 boxes", Fleet(plan).run())
    assert len(fleet.ready) == 2000
    assert fleet.downloads.sent_bytes == pytest.approx(2000 * 2_060_000)  # 4 GB, not 382
    assert max(fleet.ready.values()) < 1.1 * HOUR_S


def test_what_a_look_finds_is_taken_within_a_period_and_the_spread():
    plan = Plan(hours=1.5, published_s=600, spread_s=1800, package=SAME_WEIGHTS)
    fleet = said("new tag, found by polling, spread 30 min", Fleet(plan).run())
    assert len(fleet.ready) == BOXES
    assert min(fleet.begun.values()) >= 600
    assert max(fleet.begun.values()) <= 600 + 1800 * 1.1 + 1800
    assert fleet.registry.refused == 0
    assert fleet.registry.peak() < CAPACITY / 3


DAY = Plan(hours=24)
TABLE = {
    "a quiet day": DAY,
    "a quiet day, looks every 5 min": replace(DAY, period_s=300, hours=6),
    "registry down for 1 h": replace(DAY, hours=6, outages=[(2 * HOUR_S, 3 * HOUR_S)]),
    "registry down for 8 h": replace(DAY, hours=14, outages=[(2 * HOUR_S, 10 * HOUR_S)]),
    "down for 1 h, retried every 30 s on the dot": replace(DAY, hours=1.5, outages=[(0, HOUR_S)], backs_off=False),
    "look now, no spread": replace(DAY, hours=2, looks=[(HOUR_S, 0)]),
    "look now, spread 10 min": replace(DAY, hours=2, looks=[(HOUR_S, 600)]),
    "rings, spread 4 h": replace(DAY, hours=8, wishes=RINGS),
    "rings, and the registry down for 1 h": replace(DAY, hours=10, wishes=RINGS, outages=[(3 * HOUR_S, 4 * HOUR_S)]),
    "all at once": replace(DAY, hours=6, wishes=[Wish(0, 100, 0)]),
    "spread over a day": replace(DAY, hours=26, wishes=[Wish(0, 100, DAY_S)]),
    "site mirrors, all at once": replace(DAY, hours=3, mirrors=True, wishes=[Wish(0, 100, 0)]),
    "site mirrors, rings": replace(DAY, hours=8, mirrors=True, wishes=RINGS),
    "same weights, spread 1 h": replace(DAY, hours=3, package=SAME_WEIGHTS, wishes=[Wish(0, 100, HOUR_S)]),
}


@pytest.mark.benchmark
@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", TABLE)
def test_table(what):
    """A day of everything, as one table."""
    said(what, Fleet(TABLE[what]).run())
