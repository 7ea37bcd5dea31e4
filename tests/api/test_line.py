"""Triggers and recipes over REST: the real app, server and socket, and behind it a double of the line."""

import contextlib
import http.client
import json
import logging
import threading

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from running import VALIDATOR, until
from steering.floors import Floor
from steering.steered import Answer

from appliance.api import access as access_module

TOKEN = "3f8a2b61c7d94e05"


@pytest.fixture
def floor(tmp_path):
    with contextlib.closing(Floor(tmp_path).start_line()) as one:
        yield one


@pytest.fixture
def far(tmp_path, monkeypatch):
    """A line whose callers all come from another host."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"anna {TOKEN}\n")
    tokens.chmod(0o600)
    monkeypatch.setattr(access_module, "_is_loopback", lambda _address: False)
    with contextlib.closing(Floor(tmp_path, tokens=tokens).start_line()) as one:
        yield one


def ask(floor, method, path, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if method != "GET":
        named.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection("127.0.0.1", floor.http.port, timeout=20)
    with contextlib.closing(connection):
        raw = None if body is None else json.dumps(body)
        connection.request(method, path, raw, {"Connection": "close", **named})
        return Answer(connection.getresponse())


def test_a_trigger_is_answered_with_its_number_before_the_part_is_judged(floor):
    floor.lines.judges = False
    answer = ask(floor, "POST", "/cameras/top/trigger", {"part_id": "SN 4711"})
    assert (answer.status, answer.json) == (202, {"camera": "top", "trigger_id": 0, "part_id": "SN 4711"})
    assert floor.lines.triggered == [("top", "SN 4711")]
    assert ask(floor, "POST", "/cameras/both/trigger").json["trigger_id"] == 1, "a group is triggered as a camera is"


def test_who_waits_gets_the_whole_result(floor):
    answer = ask(floor, "POST", "/cameras/top/trigger", {"part_id": "SN 4711", "wait_s": 10})
    assert answer.status == 200
    result = answer.json["result"]
    assert (result["part_id"], result["trigger_id"], result["verdict"]) == ("SN 4711", 0, "pass")
    VALIDATOR.validate(
        result | {"stream": result["result_id"], "sequence": 0, "prev": None}
    )  # which it gets on the disk


def test_a_result_that_does_not_come_in_time_is_504_and_the_part_was_triggered(floor):
    floor.lines.judges = False
    answer = ask(floor, "POST", "/cameras/top/trigger", {"wait_s": 0.1})
    assert (answer.status, answer.json["trigger_id"]) == (504, 0)
    assert "was triggered; its result is not known here: it did not come within 0.1 s" in answer.error
    assert len(floor.lines.triggered) == 1


def test_the_same_key_triggers_once_and_its_result_can_be_had_later(floor):
    first = ask(floor, "POST", "/cameras/top/trigger", {"part_id": "a"}, Idempotency_Key="k-1")
    again = ask(floor, "POST", "/cameras/top/trigger", {"part_id": "a"}, Idempotency_Key="k-1")
    waited = ask(floor, "POST", "/cameras/top/trigger", {"part_id": "a", "wait_s": 5}, Idempotency_Key="k-1")
    assert (first.status, again.status, waited.status) == (202, 200, 200)
    assert first.json == again.json
    assert waited.json["result"]["trigger_id"] == 0
    assert len(floor.lines.triggered) == 1
    other = ask(floor, "POST", "/cameras/top/trigger", {"part_id": "b"}, Idempotency_Key="k-1")
    assert (other.status, "used for another request" in other.error) == (409, True)


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/cameras/tpo/trigger", {}, 404, "did you mean 'top'?"),
        ("/cameras/side/trigger", {}, 409, "triggered by its timer"),
        ("/cameras/top/trigger", {"part_id": "x" * 129}, 422, "part_id is 1 to 128 printable characters"),
        ("/cameras/top/trigger", {"part_id": "\x1b[2J"}, 422, "printable"),
        ("/cameras/top/trigger", {"part_id": ""}, 422, "printable"),
        ("/cameras/top/trigger", {"part_id": 7}, 422, "printable"),
        ("/cameras/top/trigger", {"wait_s": 11}, 422, "wait_s is a number of seconds from 0 to 10"),
        ("/cameras/top/trigger", {"camera": "side"}, 422, "The path names the camera"),
        ("/cameras/top/trigger", {"part": "x"}, 422, "trigger knows no field 'part'"),
    ],
)
def test_what_cannot_be_triggered_is_one_sentence_and_no_part(floor, path, body, status, says):
    answer = ask(floor, "POST", path, body)
    assert (answer.status, says in answer.error) == (status, True), answer.error
    assert floor.lines.triggered == []


def test_recipes_are_read_by_everybody(far):
    answer = ask(far, "GET", "/recipes")
    assert answer.status == 200
    schema = ask(far, "GET", "/schema/recipe.json").json
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(answer.json)
    [top, _side] = answer.json["recipes"]
    assert (top["camera"], top["recipe"], top["job_id"]) == ("top", "housing-a", None)
    assert top["recipes"] == ["broken", "housing-a", "housing-b"]


def test_a_changeover_of_one_camera_or_of_all(floor):
    answer = ask(floor, "PUT", "/cameras/top/recipe", {"recipe": "housing-b", "job_id": "order 7"})
    assert answer.status == 200
    [changed] = answer.json["recipes"]
    assert (changed["camera"], changed["recipe"], changed["job_id"]) == ("top", "housing-b", "order 7")
    assert floor.lines.in_force["side"].recipe == "housing-a"
    answer = ask(floor, "PUT", "/recipe", {"recipe": "housing-b"})
    assert [one["camera"] for one in answer.json["recipes"]] == ["top", "side"]
    floor.report()
    assert {one["recipe"] for one in ask(floor, "GET", "/recipes").json["recipes"]} == {"housing-b"}


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/cameras/top/recipe", {"recipe": "broken"}, 409, "no version of its model serves"),
        ("/cameras/top/recipe", {"recipe": "housing-c"}, 404, "did you mean 'housing-b'?"),
        ("/cameras/tpo/recipe", {"recipe": "housing-b"}, 404, "did you mean 'top'?"),
        ("/recipe", {}, 422, "recipe needs the name of a recipe"),
        ("/recipe", {"recipe": "../etc"}, 422, "the name of a recipe"),
        ("/recipe", {"recipe": "housing-b", "job_id": "a\nb"}, 422, "job_id is 1 to 128 printable"),
    ],
)
def test_a_changeover_that_is_not_possible_changes_nothing(floor, path, body, status, says):
    answer = ask(floor, "PUT", path, body)
    assert (answer.status, says in answer.error) == (status, True), answer.error
    assert {one.recipe for one in floor.lines.in_force.values()} == {"housing-a"}


def test_who_changed_what_is_in_the_log(far, caplog):
    caplog.set_level(logging.INFO)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert ask(far, "PUT", "/cameras/top/recipe", {"recipe": "housing-b", "job_id": "o7"}, **headers).status == 200
    assert ask(far, "PUT", "/cameras/top/recipe", {"recipe": "broken"}, **headers).status == 409
    done, refused = [one for one in caplog.records if hasattr(one, "WHO")]
    assert done.getMessage() == "anna changed the recipe of top from housing-a to housing-b."
    assert (done.WHO, done.SOURCE, done.JOB_ID) == ("anna", "rest 127.0.0.1", "o7")
    assert (done.CAMERA, done.BEFORE, done.RECIPE) == ("top", "housing-a", "housing-b")
    assert refused.levelname == "WARNING"
    assert "anna asked for recipe broken and did not get it" in refused.getMessage()


def test_from_elsewhere_a_token_is_needed_and_a_page_of_another_host_changes_nothing(far):
    for method, path in (("POST", "/cameras/top/trigger"), ("PUT", "/recipe")):
        body = {"recipe": "housing-b"} if method == "PUT" else {}
        assert ask(far, method, path, body).status == 401
        assert ask(far, method, path, body, Authorization="Bearer wrong-wrong-wrong").status == 401
        assert ask(far, method, path, body, Content_Type="text/plain").status == 415
        foreign = ask(far, method, path, body, Origin="http://evil", Authorization=f"Bearer {TOKEN}")
        assert foreign.status == 403
        assert ask(far, method, path, body, Authorization=f"Bearer {TOKEN}").status in (200, 202)
    assert len(far.lines.triggered) == 1


def test_a_line_that_is_away_is_a_sentence_and_the_pages_answer(tmp_path):
    with contextlib.closing(Floor(tmp_path)) as away:
        answer = ask(away, "POST", "/cameras/top/trigger")
        assert (answer.status, "The line's process is away" in answer.error) == (503, True)
        assert ask(away, "GET", "/recipes").status == 503
        assert ask(away, "GET", "/livez").status == 503


def test_those_who_wait_leave_room_for_others_and_for_the_health_page(floor):
    floor.lines.judges = False
    waiting = [
        threading.Thread(target=ask, args=(floor, "POST", "/cameras/top/trigger", {"wait_s": 10})) for _ in range(2)
    ]
    for thread in waiting:
        thread.start()
    until(lambda: len(floor.lines.triggered) == 2, "both parts", 10)
    third = ask(floor, "POST", "/cameras/top/trigger", {"wait_s": 10})
    assert (third.status, "ask without waiting" in third.error) == (503, True)
    assert len(floor.lines.triggered) == 2, "refused before anything was triggered"
    assert ask(floor, "POST", "/cameras/top/trigger").status == 202
    assert ask(floor, "GET", "/").status == 200
    floor.commands.stop()
    for thread in waiting:
        thread.join(10)
        assert not thread.is_alive()


def test_a_changeover_that_takes_long_keeps_no_trigger_waiting(floor):
    floor.lines.changing.clear()
    changing = threading.Thread(target=ask, args=(floor, "PUT", "/recipe", {"recipe": "housing-b"}))
    changing.start()
    until(lambda: floor.server._serving, "the changeover under way", 10)
    answer = floor.client.ask(trigger_of("top"), 10)
    assert answer.status == 202
    floor.lines.changing.set()
    changing.join(10)
    assert floor.lines.in_force["top"].recipe == "housing-b"


def trigger_of(camera):
    from appliance.steering.requests import Request, Verb

    return Request(Verb.TRIGGER, body={"camera": camera})


def test_the_page_shows_what_is_in_force_and_changes_nothing_itself(floor):
    ask(floor, "PUT", "/cameras/top/recipe", {"recipe": "housing-b", "job_id": "order <7>"})
    ask(floor, "PUT", "/cameras/top/recipe", {"recipe": "broken"})
    floor.report()
    page = ask(floor, "GET", "/").body.decode()
    assert "Recipe <b>housing-b</b>, job order &lt;7&gt;, since 2026-11-21 10:00:00Z" in page
    assert "The last changeover was refused: Recipe broken cannot be used now" in page
    assert "appliance recipe switch</code> changes it to broken, housing-a" in page
    assert "<form" not in page
    metrics = ask(floor, "GET", "/metrics").body.decode()
    assert 'appliance_recipe_in_force{camera="top",recipe="housing-b"} 1.0' in metrics
    assert 'appliance_recipe_in_force{camera="side",recipe="housing-b"} 0.0' in metrics
