"""A candidate that looks on: it sees the line's own frames, and what it would have said is counted."""

import threading

import numpy as np
import pytest

from appliance.inspection.result import ClassScore, Evaluation, ModelUsed, Result, Times
from appliance.shadowing import Feed
from camera.frame import Frame, PixelFormat

OK, NOT_OK, UNDEFINED = Evaluation.OK, Evaluation.NOT_OK, Evaluation.UNDEFINED


def frame(pixels):
    pixels.setflags(write=False)
    return Frame(pixels, PixelFormat.MONO8, 0, 1, 0, 0, is_simulated=True)


def result(number, evaluation, **scores):
    return Result(
        station="box",
        camera="top",
        trigger_id=number,
        recipe_id="plate",
        config_id="sha256:0",
        evaluation=evaluation,
        reason=None,
        detail="",
        classes=tuple(ClassScore(label, score) for label, score in scores.items()),
        model=ModelUsed("surface", 7, "sha256:1"),
        exposed_utc_ns=0,
        times=Times(1.0, 1.0, 4.5, 9.0),
        deadline_ms=100,
        clock_synchronized=True,
        is_simulated=True,
        verdict_ns=0,
    )


@pytest.fixture
def line():
    """A feed as the line runs it, and its two ends for an examiner."""
    feed, stop = Feed(), threading.Event()
    thread = threading.Thread(target=feed.run, args=(stop,))
    thread.start()
    life = feed.start_life()
    feed.show(["surface"])
    yield feed, tuple(one.fileno() for one in life.theirs)
    stop.set()
    feed.wake()
    thread.join(10)
    feed.end_life(life)
    for one in life.theirs:
        one.close()


@pytest.fixture
def looking_on(bench, line):
    """An examiner whose candidate looks on, and `show(number, evaluation, pixels, **scores)` for one part."""
    feed, ends = line
    examiner = bench.start(frames=ends)
    examiner.next("accepted")
    examiner.link.send("shadow", {"on": True})
    examiner.next("shadow")

    def show(number, evaluation, pixels, recipe="plate", **scores):
        """Offered until it is taken: the line drops what finds no room."""
        counts = feed.counts()["surface"]
        feed.offer("surface", recipe, frame(pixels), result(number, evaluation, **scores))
        settled = threading.Event()
        for _ in range(1000):
            now = feed.counts()["surface"]
            if now.taken > counts.taken:
                return
            assert now.dropped == counts.dropped
            settled.wait(0.01)
        raise AssertionError("the feed's thread does not take it")

    return examiner, show


def reported(examiner, what):
    """The first report for which `what` holds."""
    for _ in range(40):
        report = examiner.next("shadow")["report"]
        if what(report):
            return report
    raise AssertionError(report)


def test_it_counts_what_it_would_have_said(looking_on, scene):
    examiner, show = looking_on
    good, scratched = scene.part(0, "good")[0], scene.part(1, "scratch", 1.0)[0]
    show(10, OK, good, good=0.95)
    show(11, NOT_OK, good, scratch=0.9, good=0.1)
    show(14, OK, scratched, good=0.99)
    reported(examiner, lambda report: report["parts"] == 3)
    show(15, UNDEFINED, good)
    show(16, OK, np.zeros((40, 60), np.uint8), good=1.0)
    show(17, OK, good, recipe="removed", good=1.0)
    report = reported(examiner, lambda report: report["skipped"] == 4)
    assert (report["parts"], report["agreed"], report["new_passes"], report["new_rejects"]) == (3, 1, 1, 1)
    assert report["failed"] == 1, "the picture too small for its region"
    assert report["skipped"] == 2 + 1 + 1, "12 and 13 were never shown; one was Undefined; one has no recipe here"
    assert report["drift_label"] in {"good", "scratch"}
    assert 0 < report["max_score_drift"] <= 1
    assert 0 < report["candidate_ms_median"] < 100
    assert report["serving_ms_median"] == 4.5


def test_switched_on_again_it_counts_from_zero(looking_on, scene):
    examiner, show = looking_on
    show(1, OK, scene.part(0, "good")[0], good=0.95)
    reported(examiner, lambda report: report["parts"] == 1)
    examiner.link.send("shadow", {"on": False})
    examiner.link.send("shadow", {"on": True})
    again = reported(examiner, lambda report: report["parts"] == 0)
    assert again["seconds"] < 5
    examiner.link.send("stop", {})
    assert examiner.ended() == 0


def test_told_twice_to_look_on_it_goes_on_counting(looking_on, scene):
    examiner, show = looking_on
    show(1, OK, scene.part(0, "good")[0], good=0.95)
    reported(examiner, lambda report: report["parts"] == 1)
    examiner.link.send("shadow", {"on": True})
    assert [examiner.next("shadow")["report"]["parts"] for _ in range(2)] == [1, 1]


def test_it_waits_where_the_line_shows_no_more(looking_on, line):
    examiner, _ = looking_on
    feed, _ = line
    another = feed.start_life()  # the line's end of the one before is closed
    for one in another.theirs:
        one.close()
    assert examiner.process.poll() is None
    examiner.link.send("stop", {})
    assert examiner.ended() == 0
    feed.end_life(another)
