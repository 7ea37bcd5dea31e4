"""Messages over MQTT, read without any broker."""

import json
import time

import pytest
from steering.boxes import DIGEST

from appliance.mqtt.config import Command
from appliance.steering.errors import BadRequest
from appliance.steering.inbox import COMMANDS, Mail, may_answer, read_command, read_wish
from appliance.steering.requests import Verb

ALLOWED = frozenset({"pause", "rollback", "look", "cancel"})


def mail(topic, value=None, *, retained=False, **facts):
    payload = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
    return Mail(topic, payload, retained, **facts)


def test_a_wish_names_a_release_of_the_configured_source():
    wish = {"model": "surface", "digest": DIGEST, "request_id": "r-1", "force": True, "percent": 10}
    request = read_wish(mail("desired", wish, retained=True), ("surface", "seal"))
    assert (request.verb, request.model, request.key, request.who) == (Verb.CREATE, "surface", "r-1", "mqtt")
    assert request.body == {"digest": DIGEST, "force": True, "percent": 10, "by_wish": True}
    assert request.source == "mqtt desired"


def test_the_topic_or_the_only_model_says_which_is_meant():
    assert read_wish(mail("desired/seal", {"tag": "x"}), ("surface", "seal")).model == "seal"
    assert read_wish(mail("desired", {"tag": "x"}), ("surface",)).model == "surface"


def test_the_same_wish_without_a_request_id_has_the_same_key():
    one, same, other = (read_wish(mail("desired", {"tag": tag}), ("surface",)).key for tag in ("x", "x", "y"))
    assert one == same != other


def test_an_empty_wish_clears():
    request = read_wish(mail("desired/seal"), ("surface", "seal"))
    assert (request.verb, request.model, request.body) == (Verb.CLEAR, "seal", {})


@pytest.mark.parametrize(
    ("topic", "value", "says"),
    [
        ("desired", {"tag": "x"}, "has to name a model, one of seal, surface"),
        ("desired", {"tag": "x", "model": 7}, "the name of a model, and so a string"),
        ("desired", {"tag": "x", "model": "nobody"}, "No model 'nobody' is delivered here; there are seal, surface"),
        ("desired/seal", {"tag": "x", "model": "surface"}, "another model than the message"),
        ("desired/seal", {"url": "oci://evil/x"}, "no field 'url'"),
        ("desired/seal", {"tag": "https://evil/x"}, "never an address"),
        ("desired/seal", b"latest", "no JSON"),
        ("desired/seal", b"[" * 10_000, "no JSON"),
        ("desired/seal", [1], "a JSON object"),
        ("desired/seal", b" " * 20_000 + b"{}", "20002 bytes; 16384 are the most"),
        ("desired/seal", {"tag": "x", "request_id": 7}, "printable"),
        ("desired", None, "has to name a model"),
    ],
)
def test_a_wish_that_means_nothing_is_one_sentence(topic, value, says):
    with pytest.raises(BadRequest) as refused:
        read_wish(mail(topic, value), ("surface", "seal"))
    assert says in str(refused.value)


def test_a_command_is_a_request():
    request = read_command(mail("cmd/pause", {"model": "seal", "request_id": "r-2"}), ("surface", "seal"), ALLOWED)
    assert (request.verb, request.model, request.key, request.source) == (Verb.PAUSE, "seal", "r-2", "mqtt cmd/pause")
    assert read_command(mail("cmd/look"), ("surface", "seal"), ALLOWED).model is None
    assert read_command(mail("cmd/rollback"), ("surface",), ALLOWED).model == "surface"
    canceled = read_command(mail("cmd/cancel", {"id": "0193"}), ("surface", "seal"), ALLOWED)
    assert (canceled.model, canceled.body) == (None, {"id": "0193"})


@pytest.mark.parametrize(
    ("topic", "value", "retained", "says"),
    [
        ("cmd/pause", {}, True, "is retained, so it would be done again at each connect"),
        ("cmd/pin", {}, False, "'pin' cannot be commanded over MQTT here; mqtt.commands allows cancel, look, pause"),
        ("cmd/create", {}, False, "cannot be commanded"),
        ("cmd/pause", {"model": "nobody"}, False, "No model 'nobody'"),
        ("cmd/pause", {"model": 7}, False, "the name of a model, and so a string"),
        ("cmd/rollback", {"id": 7, "model": "seal"}, False, "id is a deployment's id"),
    ],
)
def test_a_command_that_is_not_taken_is_one_sentence(topic, value, retained, says):
    with pytest.raises(BadRequest) as refused:
        read_command(mail(topic, value, retained=retained), ("surface", "seal"), ALLOWED)
    assert says in str(refused.value)


def test_a_trigger_and_a_changeover_are_the_lines_and_need_no_model():
    allowed = frozenset({"trigger", "recipe"})
    request = read_command(mail("cmd/trigger", {"camera": "top", "part_id": "a", "request_id": "r-3"}), (), allowed)
    assert (request.verb, request.body, request.key) == (Verb.TRIGGER, {"camera": "top", "part_id": "a"}, "r-3")
    request = read_command(mail("cmd/recipe", {"recipe": "housing-b", "job_id": "7"}), ("surface",), allowed)
    assert (request.verb, request.model, request.body) == (Verb.RECIPE, None, {"recipe": "housing-b", "job_id": "7"})
    assert mail("cmd/trigger").is_for_the_line
    assert not mail("cmd/pause").is_for_the_line
    assert not mail("desired/trigger").is_for_the_line


@pytest.mark.parametrize(
    ("topic", "value", "late_s", "says"),
    [
        ("cmd/trigger", {"camera": "top"}, 2.0, "so its part has gone by; it is refused"),
        ("cmd/trigger", {"camera": "top", "wait_s": 1}, 0.0, "wait_s is for REST"),
        ("cmd/trigger", {}, 0.0, "trigger needs the name of a camera"),
        ("cmd/pause", {"model": "surface"}, 0.0, "No model of this box comes from a registry"),
    ],
)
def test_a_command_that_the_line_cannot_take_is_one_sentence(topic, value, late_s, says):
    allowed = frozenset({"trigger", "recipe", "pause"})
    with pytest.raises(BadRequest) as refused:
        read_command(mail(topic, value, came_s=time.monotonic() - late_s), (), allowed)
    assert says in str(refused.value)


def test_who_it_was_is_what_a_user_property_says():
    assert read_command(mail("cmd/look", attributes={"user": "anna"}), ("surface",), ALLOWED).who == "mqtt (anna)"
    assert read_command(mail("cmd/look", attributes={"user": "an\nna"}), ("surface",), ALLOWED).who == "mqtt"


def test_the_configuration_and_the_inbox_know_the_same_commands():
    assert set(Command.__args__) == {verb.value for verb in COMMANDS}


@pytest.mark.parametrize("topic", ["a/b/c/cmd/pause", "a/b/c", "x/#", "x/+/y", "", "$SYS/x", "x" * 600])
def test_an_answer_never_goes_where_it_would_speak_in_our_name(topic):
    assert not may_answer(topic, "a/b/c")


def test_an_answer_goes_where_it_is_asked_for():
    assert may_answer("operators/anna/answers", "a/b/c")
    assert may_answer("a/b/c2/x", "a/b/c")
