"""What a shift adds up to."""

import json
import os
import time
from datetime import datetime, timezone

import pytest
from results.boxes import box, payloads, recorded, result, results, shift

from appliance.binomial import bounds


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outbox"


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    os.environ.pop("TZ", None)
    time.tzset()


def counted(capfd, *arguments):
    assert results("stats", "--json", *arguments) == 0
    return json.loads(capfd.readouterr().out)


def test_the_figures_are_those_of_the_results(folder, capfd):
    recorded(folder, *shift(300), *(result(n, "side", recipe_id="lid") for n in range(1, 11)))
    found = counted(capfd, "--outbox", folder)
    assert found["parts"] == 310
    side, top = found["groups"]
    assert side["group"] == {"camera": "side", "recipe": "lid"}
    assert (side["parts"], side["passed"]) == (10, 10)
    assert (top["parts"], top["passed"], top["undecided"], top["undefined"]) == (300, 250, 10, 10)
    assert top["deadline_missed"] == 10
    lower, upper = bounds(250, 300)
    assert top["first_pass_yield"] == {"share": 250 / 300, "lower": lower, "upper": upper}
    assert {(one["reason"], one["label"]): one["parts"] for one in top["rejects"]} == {
        ("CLASS_ABOVE_LIMIT", "scratch"): 30,
        ("BETWEEN_LIMITS", "scratch"): 10,
        ("FRAME_MISSING", "-"): 10,
    }
    assert top["total_ms"] == {"p50": 14.0, "p95": 19.0, "p99": 19.0, "max": 19.0}
    assert found["gaps"] == found["missing"] == []


def test_a_person_gets_tables(folder, capfd):
    recorded(folder, *shift(300))
    assert results("stats", "--outbox", folder) == 0
    out = capfd.readouterr().out
    assert "300 parts, " in out
    assert "83.33 % (78.6" in out
    assert "CLASS_ABOVE_LIMIT" in out
    assert "No number is missing." in out
    assert max(map(len, out.splitlines())) <= 140


def test_escapes_are_counted_among_what_was_rechecked(folder, tmp_path, capfd):
    parts = shift(60)
    recorded(folder, *parts)
    bad_that_passed, good_that_failed = parts[0]["result_id"], parts[9]["result_id"]
    rechecks = tmp_path / "rechecks.jsonl"
    lines = [{"result_id": one["result_id"], "recheck": "good"} for one in parts[1:5]]
    lines += [{"result_id": bad_that_passed, "recheck": "bad"}, {"result_id": good_that_failed, "recheck": "good"}]
    lines += [{"result_id": parts[19]["result_id"], "recheck": "bad"}]
    rechecks.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (group,) = counted(capfd, "--outbox", folder, "--rechecks", rechecks)["groups"]
    found = group["rechecks"]
    assert (found["passed_rechecked"], found["escapes"]) == (5, 1)
    assert (found["failed_rechecked"], found["false_rejects"]) == (2, 1)
    lower, upper = bounds(1, 5)
    assert found["escape_rate"] == {"share": 0.2, "lower": lower, "upper": upper}
    assert results("stats", "--outbox", folder, "--rechecks", rechecks) == 0
    assert "5 of 50" in capfd.readouterr().out


def test_hours_and_shifts_are_those_of_the_clock_on_the_wall(folder, capfd, berlin):
    times = ["2026-11-20T04:59:59", "2026-11-20T05:00:00", "2026-11-20T12:59:59", "2026-11-20T21:30:00"]
    moments = [datetime.fromisoformat(one).replace(tzinfo=timezone.utc) for one in times]
    recorded(folder, *(result(nth, at=at) for nth, at in enumerate(moments, 1)))
    found = counted(capfd, "--outbox", folder, "--by", "shift")
    assert [(one["group"]["shift"], one["parts"]) for one in found["groups"]] == [
        ("2026-11-19 22:00", 1),
        ("2026-11-20 06:00", 2),
        ("2026-11-20 22:00", 1),
    ]
    hours = counted(capfd, "--outbox", folder, "--by", "hour")["groups"]
    assert next(one["group"]["hour"] for one in hours) == "2026-11-20 05:00"
    assert results("stats", "--outbox", folder, "--by", "day") == 0
    assert "day (CET)" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("by", "values"),
    [
        ("reason", {"-", "CLASS_ABOVE_LIMIT", "BETWEEN_LIMITS", "FRAME_MISSING"}),
        ("model", {"surface 7", "-"}),
        ("evaluation", {"OK", "NotOK", "NotDecidable", "Undefined"}),
        ("job", {"-"}),
    ],
)
def test_it_groups_by_what_is_asked(folder, capfd, by, values):
    recorded(folder, *shift(60))
    groups = counted(capfd, "--outbox", folder, "--by", by)["groups"]
    assert {one["group"][by] for one in groups} == values
    assert sum(one["parts"] for one in groups) == 60


def test_numbers_that_are_lost_are_told(folder, tmp_path, capfd):
    with box(folder) as line:
        line.record(*shift(5))
        line.outbox.append("top", "result", {**result(6), "detail": float("nan")})
        line.record(result(7))
    (gap,) = counted(capfd, "--outbox", folder)["gaps"]
    assert (gap["camera"], gap["reason"], gap["gaps"], gap["numbers"]) == ("top", "not_json", 1, 1)
    archive = tmp_path / "archive.jsonl"
    archive.write_bytes(b"\n".join(one for one in payloads(folder) if b'"sequence":3,' not in one))
    (missing,) = counted(capfd, "--file", archive)["missing"]
    assert (missing["from_sequence"], missing["to_sequence"]) == (3, 3)
    assert results("stats", "--file", archive) == 0
    assert "MISSING  top: numbers 3 to 3" in capfd.readouterr().out


def test_results_that_came_twice_count_once(folder, tmp_path, capfd):
    recorded(folder, *shift(30))
    lines = payloads(folder)
    archive = tmp_path / "archive.jsonl"
    archive.write_bytes(b"\n".join([*lines, *lines[5:9]]))
    assert counted(capfd, "--file", archive)["parts"] == 30


def test_nothing_that_is_asked_for_is_no_error(folder, capfd):
    recorded(folder, result(1))
    assert results("stats", "--outbox", folder, "--camera", "none") == 0
    assert "No results in" in capfd.readouterr().out


def test_a_file_that_is_something_else_is_one_sentence(tmp_path, capfd):
    file = tmp_path / "letter.jsonl"
    file.write_text("Dear line 3,\n", encoding="utf-8")
    assert results("stats", "--file", file) == 1
    said = capfd.readouterr().err
    assert "letter.jsonl, line 1" in said
    assert said.count("\n") == 1
