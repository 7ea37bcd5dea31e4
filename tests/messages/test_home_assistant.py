"""Home Assistant finds the box, shows what is true, and forgets what is not there any more."""

import json
from dataclasses import replace

import paho.mqtt.client as paho
import pytest
from messages.boxes import BASE, EVERYTHING, LITTLE, faults
from messages.hearing import Ear
from messages.shown import attributes, check, state
from running import until

from appliance.gateway.discovery import FILE_NAME, Discovery, topics_of
from appliance.messages.asyncapi import examples
from appliance.messages.home_assistant import discovery, topic
from appliance.mqtt.config import MqttConfig
from appliance.outbox import Publisher

[SUMMARY] = examples()["summary.json"]
[RESULT] = examples()["result.json"]
[HEALTH] = examples()["health.json"]
BOX = replace(EVERYTHING, cameras=("top",), groups=())


def test_the_message_has_what_home_assistant_knows_and_our_schema_says():
    message = discovery(EVERYTHING, "0193556e2f4b", {})
    check(message)
    assert faults("home_assistant.json", message) == []
    assert topic(EVERYTHING, "0193556e2f4b") == "homeassistant/device/inspection-0193556e2f4b/config"
    assert message["availability"] == [
        {"topic": f"{BASE}/availability", "payload_available": "online", "payload_not_available": "offline"}
    ]
    assert {key.rpartition("_")[0] for key in message["cmps"] if key.endswith("_verdict")} == {
        "top",
        "side.2",
        "housing",
    }
    assert all(one["unique_id"].startswith("inspection-0193556e2f4b_") for one in message["cmps"].values())
    assert all(one["state_topic"].startswith(f"{BASE}/") for one in message["cmps"].values())


def test_a_station_that_is_named_anew_stays_the_same_device():
    one, other = (discovery(replace(BOX, station=name), "1", {}) for name in ("box1", "box2"))
    assert one["dev"]["ids"] == other["dev"]["ids"]
    assert one["dev"]["name"] != other["dev"]["name"]


@pytest.mark.parametrize(
    ("component", "said", "shows"),
    [
        ("top_verdict", RESULT, "fail"),
        ("top_verdict", {**RESULT, "verdict": "pass"}, "pass"),
        ("top_parts", SUMMARY, "41207"),
        ("top_pass_rate", SUMMARY, "96.67"),
        ("waiting", SUMMARY, "0"),
        ("waiting", {**SUMMARY, "outbox": None}, None),
        ("problem", HEALTH, "ON"),
        ("problem", {**HEALTH, "device_health": "NORMAL", "reasons": []}, "OFF"),
        ("health", HEALTH, "FAILURE"),
        ("top_connection", {"state": "online"}, "ON"),
        ("top_connection", {"state": "frozen"}, "OFF"),
        ("top_connection", {"state": "offline"}, "OFF"),
    ],
)
def test_what_it_shows_of_a_message(component, said, shows):
    found = discovery(BOX, "1", {})["cmps"][component]
    assert state(found, json.dumps(said).encode()) == shows


def test_a_minute_without_parts_has_no_pass_rate_and_is_no_fault():
    idle = json.loads(json.dumps(SUMMARY))
    idle["cameras"]["top"]["interval"]["rates"]["first_pass_yield"]["value"] = None
    assert state(discovery(BOX, "1", {})["cmps"]["top_pass_rate"], json.dumps(idle).encode()) is None


def test_figures_that_stop_coming_are_not_shown_for_ever_and_a_verdict_is():
    components = discovery(replace(BOX, mqtt=EVERYTHING.mqtt.model_copy(update={"summary_s": 20.0})), "1", {})["cmps"]
    assert {key for key, one in components.items() if "expire_after" in one} == {
        "top_parts",
        "top_pass_rate",
        "waiting",
    }
    assert components["top_parts"]["expire_after"] == 60
    assert "expire_after" not in components["top_verdict"], "an idle line is no fault"


def test_a_verdict_has_why_beside_it():
    shown = attributes(discovery(BOX, "1", {})["cmps"]["top_verdict"], json.dumps(RESULT).encode())
    assert shown == {name: RESULT[name] for name in ("evaluation", "reason", "part_id", "recipe_id", "sequence")}


@pytest.fixture
def ear(broker):
    found = Ear(broker.port)
    yield found
    found.close()


@pytest.fixture
def announce(tmp_path, broker):
    """A gateway's part in it, with a real publisher: `announce(box)` starts one."""
    started = []

    def start(box):
        mqtt = MqttConfig(host="127.0.0.1", port=broker.port, base_topic=BASE)
        made = []
        publisher = Publisher(
            tmp_path,
            mqtt,
            box.station,
            whole_topics=topics_of(box),
            on_received=lambda message: made[0].heard(message.topic, message.payload),
        )
        one = Discovery(box, tmp_path, publisher.publish_retained_at, publisher.publish_once_at)
        made.append(one)
        one.announce()
        started.append(publisher)
        publisher.start()
        until(lambda: publisher.state().connected, "the broker", 10)
        return publisher

    yield start
    for publisher in started:
        publisher.stop(0.0)


def configs(ear, at_least=0):
    """The discovery messages that it has heard, once there are so many."""

    def found():
        return [one for one in list(ear.heard) if one.topic.endswith("/config")]

    until(lambda: len(found()) >= at_least, f"{at_least} discovery messages", 10)
    return found()


def over(publisher):
    """Everything was said, and the broker has it."""
    publisher.stop(5.0)


def test_it_is_announced_retained_and_again_when_home_assistant_starts(broker, ear, announce):
    announce(BOX)
    [first] = until(lambda: configs(ear), "the announcement", 10)
    assert (first.retain, first.qos, first.properties["ContentType"]) == (True, 1, "application/json")
    check(first.json)
    ear.say("homeassistant/status", b"offline")
    ear.say("homeassistant/status", b"online")
    again = until(lambda: configs(ear)[1:], "the announcement again", 10)
    assert [one.json for one in again] == [first.json]
    late = Ear(broker.port, paho.MQTTv311)
    until(lambda: configs(late), "the announcement for who comes late", 10)
    late.close()


def test_it_is_taken_away_once_the_operator_does_not_want_it_any_more(broker, ear, announce, tmp_path):
    over(announce(BOX))
    [first] = configs(ear, 1)
    over(announce(replace(BOX, home_assistant=None)))
    assert [(one.topic, one.payload) for one in configs(ear, 2)[1:]] == [(first.topic, b"")]
    late = Ear(broker.port)
    late.say("test/here", b"{}")
    until(lambda: late.on("test/here"), "what comes after everything retained", 10)
    assert configs(late) == [], "the broker has forgotten it"
    late.close()
    over(announce(replace(BOX, home_assistant="ha")))
    assert configs(ear, 3)[-1].topic.startswith("ha/device/")
    assert configs(ear)[-1].json["cmps"].keys() == first.json["cmps"].keys()
    assert (tmp_path / FILE_NAME).exists()


def test_a_camera_that_is_gone_is_taken_away(ear, announce):
    over(announce(replace(BOX, cameras=("top", "side"))))
    over(announce(BOX))
    gone = configs(ear, 2)[-1].json["cmps"]
    assert gone["side_verdict"] == {"p": "sensor"}
    assert gone["side_connection"] == {"p": "binary_sensor"}
    assert set(gone["top_verdict"]) > {"p"}
    check(configs(ear)[-1].json)


def test_a_box_that_nobody_wants_to_show_says_and_keeps_nothing(ear, announce, tmp_path):
    assert topics_of(LITTLE) == ()
    over(announce(replace(LITTLE, mqtt=EVERYTHING.mqtt)))
    until(lambda: ear.on(f"{BASE}/availability"), "its availability", 10)
    assert configs(ear) == []
    assert not (tmp_path / FILE_NAME).exists()


def test_a_disk_that_takes_nothing_is_said_and_the_box_is_announced(tmp_path, caplog):
    said = []
    (tmp_path / FILE_NAME).mkdir()
    Discovery(BOX, tmp_path, lambda *one: said.append(one), lambda *one: None).announce()
    assert len(said) == 1
    assert "cannot be read" in caplog.text
    assert "delete the device there by hand" in caplog.text
