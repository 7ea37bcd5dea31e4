"""The summary of each minute: what it says of two snapshots, by its own schema."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from appliance.figures import Counted, Figures, Interval
from appliance.inspection.result import ClassScore, Evaluation, ModelUsed, Reason, Result, Times
from appliance.inspection.tally import Tally
from appliance.messages.summary import SCHEMA_PATH, BrokerFigures, summary
from appliance.status import CameraStatus, LineStatus, OutboxStatus

VALIDATOR = Draft202012Validator(json.loads(SCHEMA_PATH.read_text()), format_checker=FormatChecker())
BROKER = BrokerFigures(True, "2026-11-20T20:31:05.000Z", "2026-11-20T20:31:04.500Z", 97, 1)
LINE = LineStatus(
    at_ns=0,
    started_utc="2026-11-20T20:31:04.120Z",
    station="line3-box1",
    phase="running",
    reasons=[],
    cameras={"top": CameraStatus(state="online", recipe="housing-a", job_id="A-17")},
    models=[],
    outbox=OutboxStatus(
        True, None, 3, 40_000, 1.25, 100, 0, kept=97, kept_bytes=50_000, max_bytes=100_000, state="RECORDING"
    ),
    resident_bytes=0,
    takes_parts=True,
)
REASONS = {
    Evaluation.OK: None,
    Evaluation.NOT_OK: Reason.CLASS_ABOVE_LIMIT,
    Evaluation.NOT_DECIDABLE: Reason.BETWEEN_LIMITS,
    Evaluation.UNDEFINED: Reason.CAMERA_LOST,
}


def result(evaluation, score, total_ms):
    is_judged = evaluation is not Evaluation.UNDEFINED
    return Result(
        station="line3-box1",
        camera="top",
        trigger_id=1,
        recipe_id="housing-a",
        config_id="sha256:0",
        evaluation=evaluation,
        reason=REASONS[evaluation],
        detail="",
        classes=[ClassScore("good", score), ClassScore("scratch", 1 - score)] if is_judged else [],
        model=ModelUsed("surface", 7, "sha256:1") if is_judged else None,
        exposed_utc_ns=0,
        times=Times(8.0, 0.2, total_ms / 2, total_ms, total_ms / 2) if is_judged else Times(None, None, None, total_ms),
        deadline_ms=100,
        clock_synchronized=True,
        is_simulated=False,
        verdict_ns=0,
    )


PARTS = st.lists(st.builds(result, st.sampled_from(Evaluation), st.floats(0, 1), st.floats(0.1, 5000)), max_size=40)


def told(counted, line=LINE, groups=None):
    """By the schema, and as it is read from the broker."""
    interval = Interval(
        "2026-11-20T20:32:04.120Z", "2026-11-20T20:33:04.120Z", 60_000.04, True, {"top": counted}, groups or {}
    )
    over_the_link = Interval.from_json(json.loads(interval.to_json()))
    message = json.loads(json.dumps(summary(over_the_link, line, BROKER), allow_nan=False))
    VALIDATOR.validate(message)
    return message


@settings(max_examples=60, deadline=None)
@given(intervals=st.lists(PARTS, min_size=1, max_size=4))
def test_the_sum_of_the_intervals_is_the_total_and_all_is_what_the_results_said(intervals):
    tally = Tally()
    sums = Figures()
    for parts in intervals:
        for part in parts:
            tally.count(part)
        message = told(tally.end_interval())["cameras"]["top"]
        found = message["interval"]
        sums.parts += found["parts"]
        sums.passed += found["passed"]
        for name, count in found["evaluations"].items():
            sums.evaluations[name] = sums.evaluations.get(name, 0) + count
        assert found["parts"] == len(parts)

    total, everything = message["total"], [part for parts in intervals for part in parts]
    assert (sums.parts, sums.passed, sums.evaluations) == (total["parts"], total["passed"], total["evaluations"])
    assert total["parts"] == len(everything)
    assert total["deadline_missed"] == sum(part.times.total_ms > 100 for part in everything)
    scores = {one["label"]: one for one in total["scores"]}
    good = [part.classes[0].score for part in everything if part.classes]
    if good:
        assert scores["good"]["count"] == len(good)
        assert scores["good"]["mean"] == pytest.approx(sum(good) / len(good), abs=2e-6)
        assert (scores["good"]["min"], scores["good"]["max"]) == pytest.approx((min(good), max(good)), abs=1e-6)
    for name, rate in total["rates"].items():
        assert rate["low"] <= (0 if rate["value"] is None else rate["value"]) <= rate["high"], name
    if everything:
        assert sum(rate["value"] for rate in total["rates"].values()) == pytest.approx(1, abs=3e-6)
        assert total["latency"]["total"]["max_ms"] == pytest.approx(max(p.times.total_ms for p in everything), abs=1e-3)


def test_what_a_minute_says():
    tally = Tally()
    for _ in range(97):
        tally.count(result(Evaluation.OK, 0.9, 14.4))
    for one in (Evaluation.NOT_OK, Evaluation.NOT_DECIDABLE, Evaluation.UNDEFINED):
        tally.count(result(one, 0.2, 50.0))
    tally.recorded("0193", 100, 2.0)
    message = told(tally.end_interval())
    top = message["cameras"]["top"]
    assert message["since"] == "2026-11-20T20:31:04.120Z"
    assert message["interval"]["duration_ms"] == 60_000
    assert (top["state"], top["recipe_id"], top["job_id"]) == ("online", "housing-a", "A-17")
    assert (top["stream"], top["sequence"]) == ("0193", 100)
    assert top["interval"] == top["total"]
    told_of = top["interval"]
    assert told_of["reasons"] == {"CLASS_ABOVE_LIMIT": 1, "BETWEEN_LIMITS": 1, "CAMERA_LOST": 1}
    assert told_of["rates"]["first_pass_yield"] == {"value": 0.97, "low": 0.914824, "high": 0.99377}
    assert told_of["models"] == [{"name": "surface", "version": 7, "parts": 99}]
    assert told_of["latency"]["total"]["p50_ms"] == pytest.approx(14.4, rel=0.1)
    assert told_of["latency"]["total"]["p99_ms"] == pytest.approx(50, rel=0.1)
    assert told_of["latency"]["recorded"] == {
        "count": 1,
        "mean_ms": 2.0,
        "max_ms": 2.0,
        **dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), pytest.approx(2.0, rel=0.1)),
    }
    assert message["outbox"]["waiting_share"] == 0.4
    assert message["outbox"]["oldest_age_ms"] == 1250
    assert message["outbox"]["kept"] == 97


def test_a_box_that_has_seen_no_part_says_so():
    message = told(Tally().end_interval(), LineStatus(**{**_fields(LINE), "cameras": {}, "outbox": None}))
    top = message["cameras"]["top"]
    assert (top["state"], top["sequence"], top["interval"]["parts"]) == (None, None, 0)
    assert top["interval"]["rates"]["reject"] == {"value": None, "low": 0.0, "high": 1.0}
    assert top["interval"]["latency"] == dict.fromkeys(("total", "inference", "recorded", "frame_age"))
    assert top["interval"]["scores"] == []
    assert message["outbox"] is None


def test_a_group_says_no_scores_for_they_are_its_cameras():
    tally = Tally(with_scores=False)
    tally.count(result(Evaluation.OK, 0.9, 14.4))
    message = told(Tally().end_interval(), groups={"housing": tally.end_interval()})
    assert message["groups"]["housing"]["total"]["parts"] == 1
    assert message["groups"]["housing"]["total"]["scores"] is None


def test_the_longest_summary_is_one_that_the_publisher_takes():
    tally = Tally()
    scores = [ClassScore(f"a label of some length {n}", 1 / (n + 3)) for n in range(64)]
    for _ in range(3):
        one = result(Evaluation.OK, 0.9, 14.4)
        object.__setattr__(one, "classes", scores)
        tally.count(one)
    counted = tally.end_interval()
    cameras = {f"camera{n}": counted for n in range(8)}
    interval = Interval("2026-11-20T20:32:04.120Z", "2026-11-20T20:33:04.120Z", 6e4, True, cameras, {})
    assert len(interval.to_json()) < 150_000
    assert len(json.dumps(summary(interval, LINE, BROKER))) < 262_144


def _fields(line):
    return {name: getattr(line, name) for name in LineStatus.__slots__}


def test_the_schema_is_strict():
    message = told(Counted(Figures(), Figures(), None, None))
    Draft202012Validator.check_schema(VALIDATOR.schema)
    for path in ((), ("interval",), ("broker",), ("outbox",), ("cameras", "top"), ("cameras", "top", "total")):
        spoilt = json.loads(json.dumps(message))
        inner = spoilt
        for step in path:
            inner = inner[step]
        inner["surprise"] = 1
        assert not VALIDATOR.is_valid(spoilt), path
