"""`appliance check` asks the broker what it will let the box do, before the box depends on it."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from broker.plant import BASE, OTHER
from outbox.brokers import Broker

from appliance.mqtt.config import MqttConfig
from appliance.mqtt.errors import BrokerUnreachable
from appliance.mqtt.trial import try_out

CHECK = f"{BASE}/check"


def config(port, **more):
    return MqttConfig.model_validate({"host": "127.0.0.1", "port": port, "base_topic": BASE, **more})


def certified(plant, name):
    ca, certificate, key = plant.files(name)
    return config(plant.port, tls={"ca_file": ca, "certificate_file": certificate, "key_file": key})


@pytest.fixture
def simple(tmp_path):
    started = []

    def start(settings):
        started.append(Broker(tmp_path / "broker", settings=settings).start())
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_with_the_right_certificate_all_is_well_and_nothing_stays_at_the_broker(plant):
    tried = try_out(certified(plant, "box1"), "box1-check", CHECK, [f"{BASE}/cmd/recipe"])
    assert (tried.refusal, tried.unread) == (None, ())
    with closing(plant.client("reader")) as reader:
        reader.subscribe(f"{BASE}/#")
        reader.subscribe("$SYS/broker/uptime")
        reader.hears("$SYS/broker/uptime", 15)
        assert CHECK not in reader.topics()


def test_with_the_certificate_of_another_station_the_refusal_is_told(plant):
    refusal = try_out(certified(plant, "box2"), "box2-check", CHECK, []).refusal
    assert refusal == "Not authorized"
    assert try_out(certified(plant, "box2"), "box2-check", f"{OTHER}/check", []).refusal is None


def test_what_it_may_not_read_is_named(simple, tmp_path):
    plugin = next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"), None)
    if plugin is None:
        pytest.skip("Mosquitto's plugin that refuses subscriptions is not installed")
    allowed = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"defaultACLAccess": allowed, "clients": [], "groups": [], "roles": []}))
    broker = simple(f"allow_anonymous true\nplugin {plugin}\nplugin_opt_config_file {rules}\n")
    topics = (f"{BASE}/cmd/recipe", f"{BASE}/ack/mes/+")
    tried = try_out(config(broker.port), "box1-check", CHECK, topics)
    assert (tried.refusal, tried.unread) == (None, topics)


def test_a_broker_that_says_nothing_is_told_as_one(simple):
    broker = simple("allow_anonymous true\n")
    broker.freeze()
    with pytest.raises(BrokerUnreachable, match="says nothing for 5 s"):
        try_out(config(broker.port), "box1-check", CHECK, [])


def test_mqtt_3_1_1_tells_of_no_refusal(simple, tmp_path):
    rules = tmp_path / "acl"
    rules.write_text("topic read #\n")
    broker = simple(f"allow_anonymous true\nacl_file {rules}\n")
    assert try_out(config(broker.port), "box1-check", CHECK, []).refusal is not None
    assert try_out(config(broker.port, protocol="3.1.1"), "box1-check", CHECK, []).refusal is None
