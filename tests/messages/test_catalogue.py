"""The table of topics, the schemas, and the code that reads and writes: each says what the others say."""

import json
from typing import get_args

import pytest
import tomllib
from jsonschema import Draft202012Validator
from messages.boxes import BASE, EVERYTHING, LITTLE, faults
from running import REPOSITORY
from steering.boxes import DIGEST

from appliance.messages.asyncapi import examples
from appliance.messages.catalogue import CATALOGUE, of_topic, read, sent
from appliance.messages.schemas import PATHS, part, schema
from appliance.messages.topic import Direction, Root
from appliance.mqtt.config import Command
from appliance.steering.errors import BadRequest
from appliance.steering.inbox import Mail, read_command, read_wish

STREAM = "0193556e-2f4b-7c3a-9d1e-5a6b7c8d9e0f"
REFERENCES = sorted({one for topic in CATALOGUE for one in (*topic.schemas, *topic.answers)})


@pytest.mark.parametrize("name", PATHS)
def test_each_schema_is_one(name):
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$schema"].endswith("2020-12/schema")
    assert schema(name)["title"]


@pytest.mark.parametrize("name", sorted(set(PATHS) - {"deployment.json", "recipe.json"}))
def test_each_object_of_a_message_says_all_that_it_may_have(name):
    def objects(value, where):
        if isinstance(value, dict):
            if value.get("type") == "object" or value.get("type") == ["object", "null"]:
                yield where, value
            for key, one in value.items():
                yield from objects(one, f"{where}/{key}")

    loose = [
        where
        for where, one in objects(schema(name), name)
        if "additionalProperties" not in one and not where.rpartition("/")[0].endswith(("if", "then", "else", "model"))
    ]
    assert loose == []


@pytest.mark.parametrize("reference", REFERENCES)
def test_each_message_has_an_example_that_its_schema_lets_through_and_no_other_field(reference):
    assert part(reference)
    assert len(examples()[reference]) >= 1
    for example in examples()[reference]:
        assert faults(reference, example) == []
        if not reference.startswith("deployment.json"):
            assert faults(reference, {**example, "surprise": 1}) != []


def test_examples_are_of_messages_that_there_are():
    assert set(examples()) == set(REFERENCES) | {"home_assistant.json"}


def test_no_two_entries_have_one_name_or_one_pattern():
    assert len({one.name for one in CATALOGUE}) == len(CATALOGUE)
    assert len({(one.direction, one.pattern) for one in CATALOGUE}) == len(CATALOGUE)


def test_each_entry_says_what_its_messages_are():
    for one in CATALOGUE:
        assert one.told.endswith("."), one.name
        is_binary = one.content_type is None and not one.texts
        assert bool(one.schemas) + bool(one.texts) + (is_binary or one.name == "sparkplugHost") == 1, one.name
        assert (one.event_type is not None) <= one.durable, one.name
        assert not (one.durable and one.retained), one.name


@pytest.mark.parametrize(
    ("topic", "direction", "name"),
    [
        (f"{BASE}/top/result", Direction.SENT, "result"),
        (f"{BASE}/health", Direction.SENT, "health"),
        (f"{BASE}/deployment/events", Direction.SENT, "deploymentEvents"),
        (f"{BASE}/deployment/surface", Direction.SENT, "deploymentOfModel"),
        (f"{BASE}/cmd/trigger", Direction.READ, "commandTrigger"),
        (f"{BASE}/ack/mes/top", Direction.READ, "consumer"),
        ("homeassistant/device/inspection-1/config", Direction.SENT, "homeAssistantDevice"),
        ("homeassistant/status", Direction.READ, "homeAssistantStatus"),
        ("spBv1.0/acme/DDATA/box1/top", Direction.SENT, "sparkplugDevice"),
        (f"{BASE}/cmd/trigger", Direction.SENT, None),
        (f"{BASE}/top/picture", Direction.SENT, None),
        (f"{BASE}/top/result/more", Direction.SENT, None),
        ("top/result", Direction.SENT, None),
        ("elsewhere/health", Direction.SENT, None),
    ],
)
def test_a_topic_is_found_or_is_none_of_ours(topic, direction, name):
    found = of_topic(topic, BASE, direction)
    assert (found.name if found else None) == name


def test_parameters_are_read_from_the_topic():
    found = of_topic(f"{BASE}/ack/mes/side.2", BASE, Direction.READ)
    assert found.values("ack/mes/side.2") == {"consumer": "mes", "camera": "side.2"}
    assert found.parameters == ("consumer", "camera")


def test_each_box_has_the_topics_that_its_settings_bring():
    assert set(EVERYTHING.topics()) == set(CATALOGUE)
    assert {one.name for one in LITTLE.topics()} == {one.name for one in CATALOGUE if one.needs is None}
    assert {one.name for one in sent() if one.needs is None} >= {"result", "gap", "availability", "health", "summary"}
    assert all(one.needs for one in read()), "it reads nothing that nobody wanted"


def test_each_command_that_may_be_allowed_has_its_topic():
    commands = {one.pattern.removeprefix("cmd/") for one in read() if one.pattern.startswith("cmd/")}
    assert commands == set(get_args(Command))
    assert not any(one.retained for one in read() if one.pattern.startswith("cmd/"))


GOOD_NAMES, BAD_NAMES = ("surface", "a.b-c_1", "x" * 64), ("", "-a", "x" * 65, "a b", "ä", 7, True, [])
KEYS = {"request_id": (("k", "~" * 128), ("", "a b", "x" * 129, 7))}
MODEL = {"model": (("surface",), (7, "", "a/b"))}
IDENTITY = ("SN-1", "日本", "x" * 128), ("", "x" * 129, 7)
RELEASE = {"release": ((0, 2**63 - 1), (-1, 2**63, 1.5, "7", True))}
IDS = {"id": (("1-a", "x" * 64), ("", "a/b", "x" * 65, 7))}
WANTS = {
    "trigger": ({"camera": "top"}, {"camera": (GOOD_NAMES, BAD_NAMES), "part_id": IDENTITY}),
    "recipe": ({"recipe": "a"}, dict.fromkeys(("recipe", "camera"), (GOOD_NAMES, BAD_NAMES)) | {"job_id": IDENTITY}),
    "replay": (
        {"camera": "top", "from_sequence": 1, "to_sequence": 2**53 - 1},
        {
            "camera": (GOOD_NAMES, BAD_NAMES),
            "stream": ((STREAM,), ("", "a b", "x" * 65, 7)),
            "from_sequence": ((1, 5), (0, -1, "1", 1.5, True)),
            "to_sequence": ((1, 2**53 - 1), (0, 2**53, "1", True)),
        },
    ),
    "pin": ({"model": "surface"}, MODEL | RELEASE),
    **{verb: ({"model": "surface"}, MODEL | IDS) for verb in ("approve", "cancel", "rollback")},
    **{verb: ({"model": "surface"}, MODEL) for verb in ("look", "pause", "resume", "unpin")},
}


def accepts(verb, body):
    try:
        read_command(Mail(f"cmd/{verb}", json.dumps(body).encode(), retained=False), ("surface",), get_args(Command))
    except BadRequest:
        return False
    return True


@pytest.mark.parametrize("verb", get_args(Command))
def test_a_command_s_schema_lets_through_what_the_box_takes_and_nothing_else(verb):
    """Both are asked about every field, at its bounds and beyond."""
    least, fields = WANTS[verb]
    fields = fields | KEYS
    reference = f"command.json#/$defs/{verb}"
    tried = [least, {**least, "surprise": 1}]
    for name, (good, bad) in fields.items():
        tried += [{**least, name: one} for one in (*good, *bad, None)]
        tried.append({key: one for key, one in least.items() if key != name})
    said = [(body, faults(reference, body) == [], accepts(verb, body)) for body in tried]
    assert [body for body, by_schema, by_box in said if by_schema is not by_box] == []
    assert {by_box for _, _, by_box in said} == {True, False}
    for name, (good, bad) in fields.items():
        wide = {**least, **({"to_sequence": 2**53 - 1} if verb == "replay" else {})}
        assert all(accepts(verb, {**wide, name: one}) for one in good if (verb, name) != ("replay", "to_sequence"))
        assert not any(accepts(verb, {**least, name: one}) for one in bad), name


def test_a_wish_s_schema_lets_through_what_the_box_takes_and_nothing_else():
    moments = ("2026-11-20T20:31:04Z", "2026-11-20T20:31:04.123456789Z"), ("2026-11-20", "", 7)
    fields = {
        **MODEL,
        **KEYS,
        **RELEASE,
        "tag": (("stable", "v1.0_x"), ("", ".x", "a/b", 7)),
        "digest": ((DIGEST,), ("sha256:00", "", 7)),
        "force": ((True, False), (1, "yes")),
        "not_before": moments,
        "issued": moments,
        "spread_s": ((0, 604_800, 1.5), (-1, 604_801, "1", True)),
        "percent": ((0, 100, 0.5), (-0.1, 100.1, "1", True)),
    }
    tried = [
        {},
        {"surprise": 1},
        {"tag": "a", "digest": DIGEST},
        {"tag": "a", "release": 1},
        {"digest": DIGEST, "release": 1},
    ]
    tried += [{"tag": "a", "release": None}]
    tried += [{name: one} for name, (good, bad) in fields.items() for one in (*good, *bad, None)]

    def takes(body):
        try:
            read_wish(Mail("desired", json.dumps(body).encode(), retained=True), ("surface",))
        except BadRequest:
            return False
        return True

    assert [body for body in tried if (faults("desired.json", body) == []) is not takes(body)] == []


def test_every_schema_is_in_the_package():
    packaging = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "*.json" in packaging["package-data"]["*"]
    for path in PATHS.values():
        assert path.is_relative_to(REPOSITORY / "appliance")
        assert (path.parent / "__init__.py").exists(), "a folder without it is no package, and its data is left out"


def test_what_is_sent_below_the_base_topic_has_at_most_three_levels():
    assert all(one.pattern.count("/") <= 2 for one in CATALOGUE if one.root is Root.BASE)


def test_what_a_box_subscribes_to_is_known_to_the_last_topic():
    assert LITTLE.filters() == ()
    assert set(EVERYTHING.filters()) >= {
        f"{BASE}/desired",
        f"{BASE}/desired/surface",
        f"{BASE}/cmd/replay",
        f"{BASE}/ack/mes/side.2",
        "homeassistant/status",
        "spBv1.0/acme/NCMD/box1",
    }
    assert not any("{" in one for one in EVERYTHING.filters())
