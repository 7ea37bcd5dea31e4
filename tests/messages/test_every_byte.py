"""Every byte that a running appliance publishes is one that the catalogue names, and all that it names is heard."""

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter

import paho.mqtt.client as paho
import pytest
from messages.hearing import ANSWERS, Ear, entry, wrong
from messages.shown import check, state
from running import BASE, until

from appliance.cli import main
from appliance.messages.catalogue import of_topic, sent
from appliance.messages.topic import Direction
from appliance.outbox import Outbox

NAMES = ("top", "side", "housing")
TWO_CAMERAS = """
[cameras.side]
recipe = "part"
trigger = "part"
camera = { driver = "virtual", seed = 6 }
[parts.housing]
cameras = ["top", "side"]
trigger = "command"
[home_assistant]
[models.surface.delivery]
source = "%s"
trusted_keys = ["%s"]
poll_s = 1
"""
NOT_HEARD = {
    "sparkplugNode": "protobuf by another standard's rules: tests/sparkplug",
    "sparkplugDevice": "protobuf by another standard's rules: tests/sparkplug",
    "deploymentOfModel": "needs a second delivered model; the bytes are those of deployment",
}
"""Sent by no appliance of these tests, and why."""


@pytest.fixture
def ears(broker):
    """One that speaks MQTT 5, one of 3.1.1."""
    found = [Ear(broker.port, protocol) for protocol in (paho.MQTTv5, paho.MQTTv311)]
    yield found
    for one in found:
        one.close()


def lose_a_number(folder):
    """An outbox whose first message of `top` could not be written: the box has to tell of a gap."""
    outbox = Outbox(folder, max_bytes=2**26)
    outbox.start()
    outbox.append("top", "result", {"score": float("nan")})
    outbox.append("top", "result", {"score": float("nan")})
    outbox.close(5)


def unexpected(heard, *, is_5=True, names=NAMES):
    """Each message that is not what the catalogue says, and why."""
    found = []
    for one in heard:
        topic = entry(one, BASE)
        if topic is None:
            if of_topic(one.topic, BASE, Direction.READ) is None:
                found.append((one.topic, "stands in no catalogue"))
            continue
        found += [(one.topic, why, one.payload[:300]) for why in wrong(one, topic, BASE, is_5=is_5, names=names)]
    return found


def names_of(heard):
    return Counter(topic.name for one in heard if (topic := entry(one, BASE)) is not None)


def is_as_home_assistant_shows_it(ear):
    """Each template on each message that it is for; and the last of each is what it says."""
    [config] = [one.json for one in ear.heard if one.topic.startswith("homeassistant/device/")]
    check(config)
    shown = {}
    for key, component in config["cmps"].items():
        states = [state(component, one.payload) for one in ear.on(component["state_topic"])]
        assert states, key
        shown[key] = states[-1]
    for name in NAMES:
        last = ear.on(f"{BASE}/{name}/last")[-1].json
        assert shown[f"{name}_verdict"] == last["verdict"]
        assert int(shown[f"{name}_parts"]) == 3
    assert shown["waiting"] is not None
    assert any(state(config["cmps"]["top_connection"], one.payload) == "ON" for one in ear.on(f"{BASE}/top/status"))


@pytest.mark.timeout(300)
def test_each_byte_of_a_box_with_everything_is_catalogued_and_all_of_the_catalogue_is_heard(
    appliance, broker, ears, tmp_path
):
    five, old = ears
    for name in ("keys", "registry"):
        (tmp_path / name).mkdir()
    assert main(["keys", "new", "plant", "--folder", str(tmp_path / "keys")]) == 0
    lose_a_number(tmp_path / "state" / "outbox")
    line = appliance(
        line='trigger = "part"',
        recipe="deadline_ms = 400",
        mqtt='commands = ["trigger", "recipe", "replay", "look"]\ndesired = true\nconsumers = ["mes"]\nsummary_s = 1',
        extra=TWO_CAMERAS % (tmp_path / "registry", tmp_path / "keys" / "plant.pub"),
    ).start()
    until(lambda: line.get("/readyz")[0] == 200, "the line to be ready", 100)
    for number in range(3):
        command = {"camera": "housing", "part_id": f"SN-{number}", "request_id": f"r{number}"}
        five.say(f"{BASE}/cmd/trigger", command, answer=f"trigger-{number}")
        until(lambda number=number: len(five.on(f"{BASE}/housing/result")) > number, "the part's result", 20)
    five.say(f"{BASE}/cmd/recipe", {"recipe": "nobody", "camera": "top"}, answer="recipe")
    newest = five.on(f"{BASE}/top/result")[-1].json
    five.say(f"{BASE}/ack/mes/top", {"stream": newest["stream"], "sequence": newest["sequence"]}, retain=True)
    span = {"camera": "top", "from_sequence": 1, "to_sequence": newest["sequence"]}
    five.say(f"{BASE}/cmd/replay", span, answer="replay")
    five.say(f"{BASE}/cmd/replay", span)
    until(lambda: five.on(f"{BASE}/deployment"), "the gateway to see deliveries: only what comes then is an event", 30)
    five.say(f"{BASE}/desired", {"release": 7, "request_id": "w1"}, retain=True, answer="desired")
    for name in ("recipe", "desired", "replay", "trigger-2"):
        until(lambda name=name: five.on(f"{ANSWERS}/{name}"), f"the answer on {name}", 20)
    for where in (f"{ANSWERS}/replay", f"{BASE}/top/replay"):
        until(lambda where=where: any("missing" in one.json for one in five.on(where)), f"the end on {where}", 20)
    command = [sys.executable, "-m", "appliance.cli", "check", "--config", str(line.config_file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "✓ broker: " in checked.stdout, checked.stdout + checked.stderr
    expected = {one.name for one in sent()} - set(NOT_HEARD)
    with contextlib.suppress(AssertionError):  # what is missing is named below
        until(lambda: expected <= set(names_of(five.heard)), "all of the catalogue", 20)
    assert expected - set(names_of(five.heard)) == set(), "catalogued as sent, and never heard"
    assert line.get("/asyncapi.json")[1]["channels"].keys() >= expected
    assert line.stop() == 0, line.log()[-3000:]

    until(lambda: five.on(f"{BASE}/availability")[-1].payload == b"offline", "the good-bye", 10)
    assert unexpected(five.heard) == []
    assert set(names_of(five.heard)) == expected, "and nothing that has a reason not to be heard"
    until(lambda: old.payloads() == five.payloads(), "the subscriber of 3.1.1 to have heard the same bytes", 10)
    assert {json.loads(one.payload)["status"] for one in five.on(f"{ANSWERS}/recipe")} == {404}
    ids = [one.attributes["id"] for one in five.heard if one.attributes]
    by_source = Counter((one.attributes["source"], one.attributes["id"]) for one in five.heard if one.attributes)
    assert set(by_source.values()) == {1}, "CloudEvents: no two events of one source have one id"
    assert len(ids) >= 9
    is_as_home_assistant_shows_it(five)
    gap = five.on(f"{BASE}/top/gap")[0].json
    assert gap["reason"] == "not_json"


@pytest.mark.slow
def test_each_byte_of_a_box_that_speaks_3_1_1_is_catalogued(appliance, ears):
    five, old = ears
    line = appliance(mqtt='protocol = "3.1.1"\nsummary_s = 1').start("--parts", "15")
    assert line.wait() == 0, line.log()[-3000:]
    until(lambda: five.on(f"{BASE}/availability")[-1].payload == b"offline", "the good-bye", 10)
    assert unexpected(five.heard, is_5=False, names=("top",)) == []
    assert set(names_of(five.heard)) >= {"result", "last", "cameraStatus", "recipe", "health", "summary", "model"}
    assert len(five.on(f"{BASE}/top/result")) == 15
    assert not any(one.properties for one in five.heard), "3.1.1 knows no properties"
    until(lambda: old.payloads() == five.payloads(), "the subscriber of 3.1.1 to have heard the same bytes", 10)


def test_what_the_catalogue_does_not_know_would_be_seen(broker, ears):
    """The test of the test: wrong messages of each kind, said by somebody else."""
    five, _ = ears
    health = {"schema_version": 1, "device_health": "NORMAL", "since": "2026-11-20T20:31:04.120Z", "reasons": []}
    five.say(f"{BASE}/temperature", {"celsius": 21})
    five.say(f"{BASE}/health", {**health, "mood": "good"}, retain=True)
    five.say(f"{BASE}/health", health)
    five.say(f"{BASE}/availability", b"on line", retain=True)
    five.say(f"{BASE}/nobody/status", {"schema_version": 1, "camera": "nobody", "state": "online", "reason": None})
    started = time.monotonic()
    until(lambda: len(five.heard) == 5, "all five", 10)
    assert time.monotonic() - started < 10
    told = [" ".join(map(str, one[:2])) for one in unexpected(five.heard)]
    for word in (
        "in no catalogue",
        "mood",
        "retain False, not True",
        "b'on line' is none of",
        "no camera nobody",
        "content type",
    ):
        assert any(word in one for one in told), word
