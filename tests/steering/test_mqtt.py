"""Wishes and commands through a real Mosquitto: publisher, desk and control socket as in the gateway."""

import json
import threading
from contextlib import closing
from dataclasses import replace

import paho.mqtt.client as paho
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from outbox.brokers import BASE, Broker, Listener
from outbox.conftest import settings
from paho.mqtt.enums import CallbackAPIVersion
from running import until
from steering.boxes import Handler, deployment, document

from appliance.mqtt import link
from appliance.outbox.sender.publisher import Publisher
from appliance.registry.deployments.states import State
from appliance.steering import desk as desk_module
from appliance.steering.client import ControlClient
from appliance.steering.desk import Desk
from appliance.steering.document import SCHEMA_PATH
from appliance.steering.inbox import Mail
from appliance.steering.newest import Newest
from appliance.steering.requests import Verb
from appliance.steering.server import ControlServer
from appliance.steering.teller import Teller

SCHEMA = json.loads(SCHEMA_PATH.read_text())
COMMANDS = ("pause", "resume", "rollback", "look")


@pytest.fixture(autouse=True)
def tried_again_soon(monkeypatch):
    monkeypatch.setattr(link, "_RETRY_FIRST_S", 0.1)
    monkeypatch.setattr(desk_module, "RETRY_S", 0.1)


@pytest.fixture
def broker(tmp_path):
    yield Broker(tmp_path / "broker", settings="allow_anonymous true\npersistence true\n").start()
    Broker.stop_all()


class Operator:
    """An MQTT client of the plant; `answers` is what came back to it."""

    def __init__(self, broker, protocol=paho.MQTTv5, base=BASE):
        self.answers = []
        self.base = base
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="operator", protocol=protocol)
        self.is_5 = protocol == paho.MQTTv5
        ready = threading.Event()
        self.client.on_connect = lambda client, *_: client.subscribe("answers/#", qos=1)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = lambda _client, _data, message: self.answers.append(message)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert ready.wait(10)

    def says(self, topic, value=None, *, retain=False, correlation=None, answer_to="answers/anna", user=None):
        payload = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
        properties = None
        if self.is_5:
            properties = paho.Properties(paho.PacketTypes.PUBLISH)
            if correlation is not None:
                properties.ResponseTopic = answer_to
                properties.CorrelationData = correlation
            if user is not None:
                properties.UserProperty = [("user", user)]
        self.client.publish(
            f"{self.base}/{topic}", payload, qos=1, retain=retain, properties=properties
        ).wait_for_publish(10)

    def answer(self, correlation):
        def found():
            return [one for one in self.answers if one.properties.CorrelationData == correlation]

        until(found, f"the answer to {correlation!r}", 10)
        assert len(found()) == 1
        return json.loads(found()[0].payload)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Box:
    """The gateway's way from MQTT to the delivery process' double."""

    def __init__(self, folder, broker, models=("surface",), **changes):
        changes.setdefault("desired", True)
        changes.setdefault("commands", COMMANDS)
        config = settings(broker, **changes)
        self.handler = Handler(models=models)
        self.control = ControlServer(folder / "control.sock", self.handler)
        self.mail = []
        self.publisher = Publisher(folder / "outbox", config, "box1", topics=config.topics, on_received=self._received)
        self.desk = Desk(
            ControlClient(folder / "control.sock").ask,
            self.publisher.answer,
            models=models,
            commands=config.commands,
            base_topic=config.base_topic,
        )
        self.reports = []
        self.teller = Teller(
            Newest(),
            self.publisher.publish_retained,
            self.publisher.publish_once,
            lambda document, counts: self.reports.append((document, counts)),
        )
        self.desk.start()

    def _received(self, one):
        mail = Mail(
            one.topic.removeprefix(f"{BASE}/"),
            one.payload,
            one.retained,
            one.response_topic,
            one.correlation,
            one.attributes,
        )
        self.mail.append(mail)
        self.desk.take(mail)

    def connect(self):
        self.publisher.start()
        until(lambda: self.publisher.state().connected, "the broker", 10)
        return self

    def asked(self, verb):
        return [one for one in self.handler.asked if one.verb is verb]

    def close(self):
        self.publisher.stop(2)
        self.desk.stop()
        self.control.stop()


@pytest.fixture
def open_box(tmp_path, broker):
    made = []

    def build(*, delivery=True, **changes):
        (tmp_path / "outbox").mkdir(exist_ok=True)
        made.append(Box(tmp_path, broker, **changes))
        if delivery:
            made[-1].control.start()
        return made[-1].connect()

    yield build
    for one in made:
        one.close()


@pytest.fixture
def operator(broker):
    with closing(Operator(broker)) as one:
        yield one


def subscribed(box, operator):
    """Returns when the box hears commands: what is sent before its subscription is lost, as commands should be."""
    until(lambda: operator.says("cmd/look") or box.asked(Verb.LOOK), "the subscription", 10)
    return box


def test_a_wish_that_stood_at_the_broker_before_is_taken_and_answered(open_box, operator):
    operator.says("desired", {"tag": "stable", "request_id": "r-1"}, retain=True, correlation=b"1", user="anna")
    box = open_box()
    answer = operator.answer(b"1")
    assert (answer["status"], answer["state"], answer["request_id"]) == (202, "pending", "r-1")
    [asked] = box.asked(Verb.CREATE)
    assert asked.body == {"tag": "stable", "by_wish": True}
    assert (asked.key, asked.who, asked.source) == ("r-1", "mqtt (anna)", "mqtt desired")


def test_a_wish_that_comes_again_with_each_connect_is_done_once(open_box, operator, broker):
    box = open_box()
    operator.says("desired/surface", {"tag": "stable"}, retain=True)
    until(lambda: box.asked(Verb.CREATE), "the wish", 10)
    operator.close()
    broker.stop()
    broker.start()
    until(lambda: len(box.asked(Verb.CREATE)) == 2, "the wish again, after the broker's restart", 20)
    assert len(box.handler.ways) == 1, "with the same key: the delivery process knows it"


def test_an_empty_wish_clears(open_box, operator):
    box = open_box()
    operator.says("desired", {"tag": "stable"}, retain=True)
    operator.says("desired", retain=True)
    until(lambda: box.asked(Verb.CLEAR), "the clearing", 10)
    assert box.asked(Verb.CLEAR)[0].model == "surface"


def test_a_wish_waits_for_the_delivery_process_and_the_newest_counts(open_box, operator):
    box = open_box(delivery=False)
    operator.says("desired", {"tag": "one"}, retain=True)
    until(lambda: box.mail, "the message", 10)
    operator.says("desired", {"tag": "two"}, retain=True)
    until(lambda: len(box.mail) == 2, "the second", 10)
    box.control.start()
    until(lambda: box.asked(Verb.CREATE), "the wish", 10)
    assert [one.body["tag"] for one in box.asked(Verb.CREATE)] == ["two"]


def test_a_wish_that_means_nothing_is_answered_and_logged(open_box, operator, caplog):
    box = open_box()
    operator.says("desired", {"url": "oci://evil/x:y"}, retain=True, correlation=b"u")
    answer = operator.answer(b"u")
    assert (answer["status"], "no field 'url'" in answer["error"]) == (422, True)
    assert "The wish on desired is not taken" in caplog.text
    assert box.handler.asked == []


def test_a_command_is_done_once_for_each_request_id_and_answered(open_box, operator):
    box = subscribed(open_box(), operator)
    for correlation in (b"1", b"2"):
        operator.says("cmd/rollback", {"request_id": "r-7"}, correlation=correlation)
    assert operator.answer(b"1")["status"] == 202
    assert operator.answer(b"2")["status"] == 200, "the second is the first's answer"
    assert {one.key for one in box.asked(Verb.ROLLBACK)} == {"r-7"}


def test_a_retained_command_is_refused_now_and_at_each_connect(open_box, operator, broker, caplog):
    box = subscribed(open_box(), operator)
    operator.says("cmd/pause", {"request_id": "r-8"}, retain=True, correlation=b"1")
    answer = operator.answer(b"1")
    assert (answer["status"], "is retained" in answer["error"]) == (422, True)
    broker.stop()
    broker.start()
    until(lambda: sum(one.topic == "cmd/pause" for one in box.mail) == 2, "it again", 20)
    until(lambda: caplog.text.count("The command pause is retained") == 2, "the second refusal", 10)
    assert box.asked(Verb.PAUSE) == []


def test_what_the_configuration_does_not_allow_is_not_done(open_box, operator):
    box = subscribed(open_box(), operator)
    operator.says("cmd/pin", {}, correlation=b"1")
    assert "mqtt.commands allows look, pause, resume, rollback" in operator.answer(b"1")["error"]
    assert box.asked(Verb.PIN) == []


def test_nothing_is_read_unless_it_is_configured(open_box, operator, broker):
    box = open_box(desired=False, commands=())
    operator.says("desired", {"tag": "stable"}, retain=True)
    operator.says("cmd/pause", {})
    with closing(Listener(broker, name="later")) as listener:
        box.publisher.publish_once("deployment/events", b"{}")
        listener.wait_for("deployment/events", b"{}")
    assert box.mail == []


def test_a_command_while_the_delivery_process_is_away_is_answered_at_once_and_not_done_later(open_box, operator):
    box = open_box(delivery=False)
    until(lambda: operator.says("cmd/look") or box.mail, "the subscription", 10)
    operator.says("cmd/pause", {}, correlation=b"1")
    answer = operator.answer(b"1")
    assert (answer["status"], "delivery process is away" in answer["error"]) == (503, True)
    box.control.start()
    operator.says("cmd/resume", {}, correlation=b"2")
    assert operator.answer(b"2")["status"] == 200
    assert box.asked(Verb.PAUSE) == []


def test_an_answer_is_not_sent_where_it_would_speak_in_our_name(open_box, operator, broker, caplog):
    box = subscribed(open_box(), operator)
    operator.says("cmd/resume", {}, correlation=b"1", answer_to=f"{BASE}/cmd/pause")
    operator.says("cmd/resume", {}, correlation=b"2")
    operator.answer(b"2")
    assert "wants its answer on" in caplog.text
    assert box.asked(Verb.PAUSE) == []


def test_on_mqtt_3_wishes_and_commands_work_without_answers(open_box, broker):
    with closing(Operator(broker, paho.MQTTv311)) as operator:
        box = subscribed(open_box(protocol="3.1.1"), operator)
        operator.says("cmd/pause", {"request_id": "r"})
        operator.says("desired", {"tag": "x"}, retain=True)
        until(lambda: box.asked(Verb.PAUSE) and box.asked(Verb.CREATE), "both", 10)


def test_a_message_that_is_too_long_is_refused_and_a_huge_one_never_reaches_us(open_box, operator):
    box = subscribed(open_box(), operator)
    operator.says("cmd/pause", b" " * 20_000, correlation=b"1")
    assert operator.answer(b"1")["status"] == 422
    operator.says("cmd/pause", b"{" + b" " * 20_000 + b"}", correlation=b"2")
    assert "16384 are the most" in operator.answer(b"2")["error"]
    heard = len(box.mail)
    operator.says("cmd/pause", b"{" + b" " * 400_000 + b"}")
    operator.says("cmd/resume", {}, correlation=b"3")
    assert operator.answer(b"3")["status"] == 200
    assert len(box.mail) == heard + 1


def test_a_flood_of_commands_is_bounded_and_said(open_box, operator, caplog):
    box = subscribed(open_box(), operator)
    box.handler.hold.clear()
    try:
        for _ in range(desk_module.COMMANDS_MAX + 3):
            box.desk.take(Mail("cmd/look", b"", retained=False))
        assert "one on cmd/look is dropped" in caplog.text
        assert len(box.desk._commands) <= desk_module.COMMANDS_MAX
    finally:
        box.handler.hold.set()


def test_a_broker_that_does_not_let_us_read_is_a_sentence(tmp_path):
    rules = tmp_path / "rules"
    rules.write_text(f"topic write {BASE}/#\n")
    broker = Broker(tmp_path / "strict", settings=f"allow_anonymous true\nacl_file {rules}\n").start()
    (tmp_path / "outbox").mkdir()
    with closing(Box(tmp_path, broker)) as box:
        box.publisher.start()
        # Mosquitto grants a subscription whose messages it then withholds, so its word is ours to make up.
        until(lambda: box.publisher.state().connected, "the broker", 10)
        from appliance.mqtt.connection import Granted

        box.publisher._delivery._take_grant(Granted((f"{BASE}/desired",)))
        assert f"does not let us read {BASE}/desired: allow" in box.publisher.state().problem
        box.publisher._delivery._take_grant(Granted(()))
        assert box.publisher.state().problem is None
    Broker.stop_all()


def test_the_newest_deployment_is_retained_and_each_transition_told_once(open_box, broker):
    box = open_box(models=("surface", "seal"))
    models = ("surface", "seal")
    one = deployment(5, state=State.DOWNLOADING, bytes_total=10, bytes_done=5)
    with closing(Listener(broker)) as listener:
        box.teller.take(document(one, models=models))
        box.teller.take(document(replace(one, bytes_done=7), models=models))
        box.teller.take(document(replace(one, state=State.VERIFYING, bytes_done=10), models=models))
        for topic in ("deployment", "deployment/surface", "deployment/seal"):
            listener.wait(lambda it, topic=topic: it.on(topic), topic)
        listener.wait(lambda it: it.on("deployment/events"), "the transition")
        listener.wait(lambda it: it.on("deployment")[-1].json["state"] == "verifying", "the newest")
        [event] = listener.on("deployment/events")
        assert (event.json["state"], event.json["model"], event.retained) == ("verifying", "surface", False)
    with closing(Listener(broker, name="late")) as late:
        late.wait(lambda it: it.on("deployment/seal"), "what is retained")
        late.wait(lambda it: it.on("deployment"), "what is retained")
        message = late.on("deployment")[0]
        assert (message.json["model"], message.json["progress"], message.retained) == ("surface", 1.0, True)
        assert late.on("deployment/events") == []
        for definition, heard in (("message", late.on("deployment")), ("message", late.on("deployment/seal"))):
            schema = {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}
            for one in heard:
                Draft202012Validator(schema, format_checker=FormatChecker()).validate(one.json)


def test_while_the_delivery_process_is_away_the_board_knows_nothing(open_box):
    box = open_box()
    box.teller.take(document(deployment()))
    box.teller.lost("It is away.")
    assert box.reports[0][0]["models"]
    assert box.reports[-1] == (None, None)
