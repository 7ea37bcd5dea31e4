import itertools
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from appliance.registry.deployments.events import Hold
from appliance.registry.deployments.places import bucket_of, share_of
from appliance.registry.deployments.starting import Never, Start, may_change, may_start
from appliance.registry.deployments.states import State
from appliance.registry.deployments.windows import read_windows

VIENNA = timezone(timedelta(hours=1))
NOON = datetime(2026, 11, 17, 12, 0, tzinfo=VIENNA)  # a Tuesday
DIGEST = "sha256:" + "ab" * 32
FREE = Start(now=NOON, box_id="box-1", key=DIGEST, seen=NOON)
NIGHT = read_windows(["22:00-05:00"])


def test_nothing_holds_it():
    assert may_start(FREE) is None
    assert may_change(FREE) is None


@pytest.mark.parametrize(
    ("facts", "waiting_for"),
    [
        ({"paused": True}, "pause"),
        ({"pinned": True}, "pin"),
        ({"percent": 0}, "ring"),
        ({"not_before": NOON + timedelta(minutes=1)}, "start"),
        ({"windows": NIGHT}, "window"),
        ({"paused": True, "pinned": True, "percent": 0, "windows": NIGHT}, "pause"),
    ],
)
def test_what_holds_it(facts, waiting_for):
    hold = may_start(replace(FREE, **facts))
    assert isinstance(hold, Hold)
    assert hold.waiting_for == waiting_for
    assert hold.detail


def test_the_switch_waits_for_pause_pin_and_window_and_for_nothing_else():
    assert may_change(replace(FREE, paused=True)).waiting_for == "pause"
    assert may_change(replace(FREE, pinned=True)).waiting_for == "pin"
    assert may_change(replace(FREE, windows=NIGHT)).waiting_for == "window"
    assert (
        may_change(replace(FREE, percent=0, not_before=NOON + timedelta(days=1), failed=[DIGEST], digest=DIGEST))
        is None
    )


@pytest.mark.parametrize(
    ("facts", "end"),
    [
        ({"rejected": {DIGEST}}, State.REJECTED),
        ({"rejected": {DIGEST}, "force": True}, State.REJECTED),
        ({"failed": {DIGEST}}, State.FAILED),
        ({"installed": DIGEST, "paused": True}, State.ALREADY_INSTALLED),
    ],
)
def test_what_never_starts(facts, end):
    never = may_start(replace(FREE, digest=DIGEST, **facts))
    assert isinstance(never, Never)
    assert never.end is end


def test_force_tries_again_what_failed_and_an_unknown_digest_is_no_obstacle():
    assert may_start(replace(FREE, digest=DIGEST, failed={DIGEST}, force=True)) is None
    assert may_start(replace(FREE, digest=None, failed={DIGEST}, rejected={DIGEST})) is None


def test_the_window_says_when_it_opens():
    hold = may_start(replace(FREE, windows=NIGHT))
    assert hold.detail == "no change may happen before Tue 2026-11-17 22:00 local time"
    assert hold.until == NOON + timedelta(hours=10)


@pytest.mark.parametrize("facts", [{}, {"windows": NIGHT}, {"not_before": NOON + timedelta(hours=3)}])
def test_whoever_asks_again_when_it_says_may_start(facts):
    start = replace(FREE, spread_s=3600, **facts)
    for _ in range(3):
        hold = may_start(start)
        if hold is None:
            return
        assert may_start(replace(start, now=hold.until - timedelta(seconds=1))) is not None
        start = replace(start, now=hold.until)
    raise AssertionError(f"it is held for ever: {hold}")


BOXES = [f"box-{number}" for number in range(10_000)]


class TestRings:
    def inside(self, percent: float) -> set[str]:
        return {box for box in BOXES if may_start(replace(FREE, box_id=box, percent=percent)) is None}

    def test_a_larger_ring_holds_the_smaller_ones(self):
        one, ten, half = self.inside(1), self.inside(10), self.inside(50)
        assert one < ten < half < self.inside(100) == set(BOXES)
        assert len(one) == pytest.approx(100, abs=35)
        assert len(ten) == pytest.approx(1000, abs=100)

    def test_the_last_bucket_of_a_ring(self):
        for percent in (0.01, 0.29, 1.1, 57.0):
            names = (f"box-{number}" for number in itertools.count())
            last = next(box for box in names if bucket_of(box, DIGEST) == round(percent * 100))
            assert may_start(replace(FREE, box_id=last, percent=percent)).waiting_for == "ring"
            assert may_start(replace(FREE, box_id=last, percent=percent + 0.01)) is None

    def test_each_release_begins_with_other_boxes(self):
        assert len(self.inside(1) & {box for box in BOXES if bucket_of(box, "another") < 100}) < 10

    def test_a_small_ring_is_spread_as_wide_as_all(self):
        shares = sorted(share_of(box, DIGEST) for box in self.inside(1))
        assert shares[0] < 0.1
        assert shares[-1] > 0.9


class TestSpread:
    def due_s(self, box: str, **facts) -> int:
        """Seconds after noon at which it may start: looked for minute by minute."""
        start = replace(FREE, box_id=box, **facts)
        return next(
            second
            for second in range(0, 2 * 86_400, 60)
            if may_start(replace(start, now=NOON + timedelta(seconds=second))) is None
        )

    def test_boxes_start_all_over_the_spread(self):
        starts = [self.due_s(f"box-{number}", spread_s=3600) for number in range(60)]
        assert min(starts) < 600
        assert 3000 < max(starts) <= 3600

    def test_a_restart_does_not_redraw(self):
        assert self.due_s("box-1", spread_s=3600) == self.due_s("box-1", spread_s=3600)

    def test_it_counts_from_the_moment_before_which_nobody_may(self):
        later = NOON + timedelta(hours=2)
        starts = [self.due_s(f"box-{number}", spread_s=3600, not_before=later) for number in range(40)]
        assert 7200 <= min(starts) < 8200
        assert 9500 < max(starts) <= 10_800

    def test_boxes_that_waited_for_a_window_do_not_all_start_when_it_opens(self):
        starts = [self.due_s(f"box-{number}", spread_s=3600, windows=NIGHT) for number in range(20)]
        assert 36_000 <= min(starts) < 37_500
        assert 38_000 < max(starts) <= 39_600

    def test_a_spread_longer_than_the_window_fits_into_it(self):
        short = read_windows(["13:00-14:00"])
        starts = [self.due_s(f"box-{number}", spread_s=86_400, windows=short) for number in range(40)]
        assert min(starts) >= 3600
        assert 7000 - 600 < max(starts) <= 3600 + 3240

    def test_it_says_when(self):
        hold = may_start(replace(FREE, spread_s=3600))
        assert hold.waiting_for == "start"
        assert "2026-11-17 12:" in hold.detail

    def test_moments_of_other_zones_are_the_same_moments(self):
        utc = replace(FREE, seen=NOON.astimezone(timezone.utc), spread_s=3600)
        assert may_start(utc) == may_start(replace(FREE, spread_s=3600))
