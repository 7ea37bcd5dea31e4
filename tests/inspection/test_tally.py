"""What a camera counts of its results: since the start, and of each interval."""

import sys
import threading
import time
from dataclasses import replace

import pytest

from appliance.figures import LABELS_MAX
from appliance.inspection.result import ClassScore, Evaluation, ModelUsed, Reason, Result, Times
from appliance.inspection.tally import Tally
from appliance.status import LATENCY_BUCKETS_MS

LATE = Times(acquisition_ms=None, queue_ms=None, inference_ms=None, total_ms=120.0)


def result(evaluation=Evaluation.OK, reason=None, *, version=1, good=0.9, labels=2, times=None):
    return Result(
        station="box",
        camera="top",
        trigger_id=1,
        recipe_id="part",
        config_id="sha256:0",
        evaluation=evaluation,
        reason=reason,
        detail="",
        classes=[ClassScore("good", good), *(ClassScore(f"defect{n}", 0.1) for n in range(labels - 1))],
        model=ModelUsed("surface", version, "sha256:1"),
        exposed_utc_ns=0,
        times=times or Times(8.0, 0.2, 5.6, 14.4, 10.2),
        deadline_ms=100,
        clock_synchronized=True,
        is_simulated=False,
        verdict_ns=0,
    )


def test_each_part_counts_once_in_its_interval_and_in_the_total():
    tally = Tally()
    tally.count(result())
    tally.count(result(Evaluation.UNDEFINED, Reason.DEADLINE_EXPIRED, times=LATE))
    first = tally.end_interval()
    tally.count(result(Evaluation.NOT_OK, Reason.CLASS_ABOVE_LIMIT, version=2, good=0.2))
    tally.recorded("0193", 3, 2.5)
    second = tally.end_interval()

    assert (first.interval.parts, first.total.parts) == (2, 2)
    assert (first.stream, first.sequence) == (None, None)
    assert first.interval.deadline_missed == 1
    assert (second.interval.parts, second.total.parts) == (1, 3)
    assert (second.stream, second.sequence) == ("0193", 3)
    assert second.interval.evaluations == {"NotOK": 1}
    assert second.interval.models == {("surface", 2): 1}
    assert second.total.models == {("surface", 1): 2, ("surface", 2): 1}
    assert second.interval.scores[("good", None)].high == 0.2
    assert second.total.scores[("good", None)].high == 0.9
    assert second.total.latency["recorded"].count == 1
    assert first.total.parts == 2, "what was told does not change"


def test_the_status_shows_all_since_the_start_whatever_intervals_ended():
    tally = Tally()
    for value in (0.05, 2.0, 2.001, 5.0, 700.0):
        tally.count(result(times=Times(None, None, value, 14.4)))
        tally.end_interval()
    status = tally.snapshot("online", "")
    assert (status.parts, status.passed, tally.parts, tally.passed) == (5, 5, 5, 5)
    inference = status.latency["inference"]
    by_bound = dict(zip((*LATENCY_BUCKETS_MS, "above"), inference.counts, strict=True))
    assert {bound: count for bound, count in by_bound.items() if count} == {1.0: 1, 2.0: 1, 3.0: 1, 5.0: 1, "above": 1}
    assert inference.sum_ms == pytest.approx(709.051)


def test_a_group_does_not_follow_scores():
    tally = Tally(with_scores=False)
    tally.count(result())
    assert tally.end_interval().total.scores is None
    tally.count(result())
    assert tally.end_interval().interval.scores is None


def test_of_very_many_labels_the_same_ones_are_followed_and_of_another_model_its_own():
    tally, many = Tally(), result(labels=200)
    tally.count(many)
    first = tally.end_interval().interval.scores
    assert len(first) == LABELS_MAX
    tally.count(replace(many, classes=many.classes[::-1]))
    assert tally.end_interval().interval.scores.keys() == first.keys()
    assert tally.end_interval().interval.parts == 0
    tally.count(replace(many, classes=many.classes[::-1]))
    assert tally.end_interval().interval.scores.keys() == first.keys(), "also after a while without parts"
    few = replace(many, classes=[ClassScore("another", 0.7)])
    for _ in range(2):  # the interval in which the model changes has the labels of the one before
        tally.count(few)
        told = tally.end_interval()
    assert told.interval.scores[("another", None)].count == 1


def test_nothing_is_lost_while_one_counts_and_another_ends_intervals():
    tally, parts = Tally(), 3000
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        counting = threading.Thread(target=lambda: [tally.count(result()) for _ in range(parts)])
        counting.start()
        intervals = []
        while counting.is_alive():
            intervals.append(tally.end_interval())
            seen = tally.snapshot("online", "")
            assert seen.parts == seen.evaluations.get("OK", 0)
        intervals.append(tally.end_interval())
    finally:
        sys.setswitchinterval(before)
    assert sum(one.interval.parts for one in intervals) == parts == intervals[-1].total.parts
    assert sum(one.interval.latency["total"].count for one in intervals) == parts


def test_counting_a_part_takes_no_time_that_a_verdict_would_notice():
    tally, part = Tally(), result(labels=5)

    def taken_us():
        begun = time.thread_time_ns()
        for _ in range(500):
            tally.count(part)
        return (time.thread_time_ns() - begun) / 500e3

    assert min(taken_us() for _ in range(20)) < 40  # some 4 on a machine that does nothing else
