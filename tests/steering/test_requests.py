"""What a request may say; the table of verbs and fields."""

import json

import pytest
from steering.boxes import DIGEST

from appliance.steering.errors import BadRequest
from appliance.steering.requests import Request, Verb


@pytest.mark.parametrize(
    ("verb", "model", "body"),
    [
        (Verb.OVERVIEW, None, {}),
        (Verb.SHOW, None, {"id": "0193a5f0-0000-7000-8000-000000000001"}),
        (Verb.CREATE, "surface", {}),
        (Verb.CREATE, "surface", {"tag": "stable", "not_before": "2026-11-21T22:00:00Z", "spread_s": 600}),
        (Verb.CREATE, "surface", {"digest": DIGEST, "percent": 12.5, "force": True}),
        (Verb.CREATE, "surface", {"release": 12}),
        (Verb.CANCEL, "surface", {}),
        (Verb.APPROVE, None, {"id": "0193a5f0"}),
        (Verb.PIN, "surface", {"release": 0}),
        (Verb.LOOK, None, {}),
        (Verb.AUDIT, None, {"limit": 1000}),
        (Verb.TRIGGER, None, {"camera": "top", "part_id": "Gehäuse 4711", "wait_s": 2.5}),
        (Verb.RECIPE, None, {"recipe": "housing-b", "camera": "top", "job_id": "order 7"}),
        (Verb.RECIPES, None, {}),
    ],
)
def test_what_means_something_crosses_the_wire_unchanged(verb, model, body):
    request = Request(verb, model, body, who="anna", source="rest 10.0.0.1", key="k-1")
    assert Request.from_json(json.loads(json.dumps(request.as_json()))) == request


@pytest.mark.parametrize(
    ("verb", "model", "body", "says"),
    [
        (Verb.CREATE, None, {}, "create needs the name of a model"),
        (Verb.CREATE, "../etc", {}, "no name of a model"),
        (Verb.CREATE, "surface", {"url": "http://evil"}, "create knows no field 'url'; it has: tag, digest"),
        (Verb.CREATE, "surface", {"tag": "oci://evil/x:y"}, "a tag of the configured source, never an address"),
        (Verb.CREATE, "surface", {"tag": "a", "release": 1}, "one of tag, digest and release"),
        (Verb.CREATE, "surface", {"digest": "sha256:12"}, "64 hexadecimal digits"),
        (Verb.CREATE, "surface", {"release": -1}, "a whole number from 0 on, and not -1"),
        (Verb.CREATE, "surface", {"release": True}, "a whole number from 0 on, and not True"),
        (Verb.CREATE, "surface", {"force": "yes"}, "force is true or false"),
        (Verb.CREATE, "surface", {"not_before": "tomorrow"}, "a moment such as"),
        (Verb.CREATE, "surface", {"percent": 101}, "a number from 0 to 100"),
        (Verb.CREATE, "surface", {"spread_s": float("nan")}, "a number of seconds"),
        (Verb.CANCEL, None, {}, "cancel needs a model, or the id"),
        (Verb.SHOW, None, {}, "show needs the id"),
        (Verb.PAUSE, "surface", {"for": 3}, "pause knows no field 'for'; it has: none"),
        (Verb.AUDIT, None, {"limit": 0}, "from 1 to 1000"),
        (Verb.TRIGGER, None, {}, "trigger needs the name of a camera, or of a group"),
        (Verb.TRIGGER, None, {"camera": "top", "part_id": "a\u2028b"}, "1 to 128 printable characters"),
        (Verb.TRIGGER, None, {"camera": "top", "wait_s": 10.1}, "from 0 to 10"),
        (Verb.RECIPE, None, {"camera": "top"}, "recipe needs the name of a recipe"),
        (Verb.RECIPES, None, {"camera": "top"}, "recipes knows no field 'camera'; it has: none"),
    ],
)
def test_what_means_nothing_is_one_sentence(verb, model, body, says):
    with pytest.raises(BadRequest) as refused:
        Request(verb, model, body)
    assert says in str(refused.value)
    assert str(refused.value).count("\n") == 0


@pytest.mark.parametrize("key", ["", "x" * 129, "with space", "line\nfeed", 7])
def test_a_key_is_short_and_printable(key):
    with pytest.raises(BadRequest, match="128 printable"):
        Request(Verb.LOOK, key=key)


def test_what_is_null_was_not_said():
    assert Request(Verb.CREATE, "surface", {"tag": None, "release": 3}).body == {"release": 3}


def test_a_long_wrong_value_makes_no_long_sentence():
    with pytest.raises(BadRequest) as refused:
        Request(Verb.CREATE, "surface", {"tag": "x" * 10_000})
    assert len(str(refused.value)) < 300
