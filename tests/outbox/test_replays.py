"""Results again, over a real Mosquitto: who missed a range gets exactly it, and what is new is not kept waiting."""

import json
import sqlite3
from contextlib import closing, contextmanager

import paho.mqtt.client as paho
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from outbox.brokers import Broker
from outbox.messages import append
from outbox.plants import Mes, Station
from running import REPOSITORY, until

from appliance.outbox.chain import as_replayed
from appliance.outbox.disk.opening import current
from appliance.outbox.sender.replaying import AT_ONCE_MAX
from appliance.steering.client import ControlClient
from appliance.steering.requests import Request, Verb
from appliance.steering.sides import GATEWAY

CLOSING = Draft202012Validator(
    json.loads((REPOSITORY / "appliance/messages/schemas/replay.schema.json").read_text()),
    format_checker=FormatChecker(),
)


@pytest.fixture
def folder(tmp_path):
    """Where open_outbox() puts it: the same as the station's."""
    return tmp_path / "state" / "outbox"


@pytest.fixture
def broker(tmp_path):
    """One that does not save each message: it is to keep up."""
    return Broker(tmp_path / "broker").start()


@pytest.fixture
def outbox(open_outbox):
    return open_outbox()


@pytest.fixture
def start(tmp_path, broker):
    """A station with `start(**settings of MQTT)`."""
    started = []

    def build(on=None, **mqtt):
        station = Station(tmp_path / "state", on or broker, **mqtt)
        started.append(station)
        return station.start()

    yield build
    for station in started:
        station.close()


@pytest.fixture
def mes(broker):
    with closing(Mes(broker)) as one:
        yield one


def results(outbox, count, **more):
    return append(outbox, count, replayed=False, **more)


def recorded(outbox, first, last):
    """The bytes as they are published again."""
    return [as_replayed(payload) for payload in outbox.record.payloads()[first - 1 : last]]


def delivered(station, row):
    station.publisher.notify(row)
    assert station.publisher.wait_acknowledged(row, 20)


def sequences(messages):
    return list(dict.fromkeys(json.loads(one.payload)["sequence"] for one in messages))


def test_who_missed_a_range_gets_exactly_it(outbox, start, mes):
    station = start()
    delivered(station, results(outbox, 30))
    mes.asks(5, 20, correlation=b"q1", request_id="batch-7")
    closing_message, came = mes.wait_closing()
    assert [one.payload for one in came] == recorded(outbox, 5, 20)
    assert all(b'"replayed":true' in one.payload for one in came)
    answer = json.loads(mes.on("mes/answers")[0].payload)
    assert (answer["status"], answer["verb"], answer["request_id"], answer["rows"]) == (202, "replay", "batch-7", 16)
    assert {(one.qos, one.retain, one.properties.CorrelationData) for one in mes.heard} == {(1, False, b"q1")}
    CLOSING.validate(closing_message)
    assert closing_message["id"] == answer["id"]
    assert (closing_message["sent"], closing_message["missing"], closing_message["request_id"]) == (16, [], "batch-7")


def test_without_a_response_topic_it_goes_to_the_camera_s_own(outbox, start, broker):
    station = start()
    delivered(station, results(outbox, 8))
    with closing(Mes(broker, name="old", protocol=paho.MQTTv311)) as old:
        old.asks(3, 6)
        topic = f"{station.config.mqtt.base_topic}/top/replay"
        said, came = old.wait_closing(topic)
    assert [one.payload for one in came] == recorded(outbox, 3, 6)
    CLOSING.validate(said)


def test_two_at_once_each_get_theirs(outbox, start, mes):
    station = start()
    results(outbox, 60)
    delivered(station, results(outbox, 40, camera="side"))
    mes.asks(1, 60, correlation=b"a", answer_to="mes/a")
    mes.asks(11, 40, correlation=b"b", answer_to="mes/b", camera="side")
    a, b = mes.wait_closing("mes/a"), mes.wait_closing("mes/b")
    assert [one.payload for one in a[1]] == recorded(outbox, 1, 60)
    assert sequences(b[1]) == list(range(11, 41))
    assert a[0]["camera"], b[0]["camera"] == ("top", "side")


def test_a_box_that_does_not_allow_it_sends_nothing(outbox, start, mes):
    station = start(commands=["look"])
    delivered(station, results(outbox, 5))
    mes.asks(1, 5, correlation=b"q")
    mes.wait(lambda: mes.heard, "the refusal")
    answer = json.loads(mes.heard[0].payload)
    assert answer["status"] == 422
    assert "mqtt.commands allows look" in answer["error"]
    assert station.replays.statuses() == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"first": 9, "last": 3}, "cannot be after to_sequence"),
        ({"first": 0, "last": 3}, "from_sequence is a whole number from 1 on"),
        ({"first": 1, "last": 3, "stream": "../x"}, "stream is the id of a stream"),
        ({"first": 1, "last": 3, "camera": "left"}, "no results of a camera 'left'"),
        ({"first": 1, "last": 3, "stream": "0193"}, "nothing more of the stream '0193'"),
        ({"first": 1, "last": 3, "topic": "other"}, "replay knows no field 'topic'"),
        ({"first": 1, "last": 3, "retain": True}, "is retained"),
        ({"first": 1, "last": 3, "raw": b"x" * 20_000}, "20000 bytes"),
        ({"first": 1, "last": 3, "raw": b"nonsense"}, "no JSON"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_a_sentence(outbox, start, mes, asked, said):
    station = start()
    delivered(station, results(outbox, 3))
    mes.asks(asked.pop("first"), asked.pop("last"), correlation=b"q", **asked)
    mes.wait(lambda: mes.heard, "the refusal")
    answer = json.loads(mes.heard[0].payload)
    assert answer["status"] in (404, 422)
    assert said in answer["error"]


def test_a_topic_that_the_broker_refuses_ends_it_and_results_go_on(outbox, start, tmp_path):
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite acme/#\ntopic readwrite mes/good/#\ntopic read mes/#\n")
    broker = Broker(tmp_path / "strict", settings=f"allow_anonymous true\nacl_file {rules}\n").start()
    station = start(broker)
    delivered(station, results(outbox, 50))
    with closing(Mes(broker)) as mes:
        mes.asks(1, 50, correlation=b"q", answer_to="mes/forbidden")
        said, came = mes.wait_closing(f"{station.config.mqtt.base_topic}/top/replay")
        assert (said["status"], said["sent"], came) == (503, 0, [])
        assert "refuses messages on mes/forbidden" in said["error"]
        CLOSING.validate(said)
        assert station.publisher.state().problem is None
        delivered(station, results(outbox, 5))
        mes.asks(1, 10, correlation=b"q", answer_to="mes/good/one")
        assert mes.wait_closing("mes/good/one")[0]["sent"] == 10


def test_nobody_is_answered_on_the_box_s_own_topics(outbox, start, mes, listener):
    station = start()
    delivered(station, results(outbox, 3))
    mes.asks(1, 3, correlation=b"q", answer_to=f"{station.config.mqtt.base_topic}/top/result")
    mes.asks(1, 1)
    mes.wait_closing(f"{station.config.mqtt.base_topic}/top/replay")
    assert len(listener.on("top/result")) == 3
    body = {"camera": "top", "from_sequence": 1, "to_sequence": 3}
    own = f"{station.config.mqtt.base_topic}/top/result"
    assert station.subscribers.ask(Request(Verb.REPLAY, None, body, response_topic=own), 1.0).status == 422


def test_a_broker_that_goes_and_comes_back_gets_the_rest(outbox, start, tmp_path):
    broker = Broker(tmp_path / "other", settings="allow_anonymous true\npersistence true\n").start()
    with closing(Mes(broker, stays=True)) as mes:
        station = start(broker)
        delivered(station, results(outbox, 400))
        mes.asks(1, 400, correlation=b"q")
        mes.wait(lambda: len(mes.heard) > 60, "the first of it")
        broker.stop()
        assert not any(b'"missing":' in one.payload for one in mes.heard)
        broker.start()
        said, came = mes.wait_closing()
        assert (said["sent"], said["missing"]) == (400, [])
        assert sequences(came) == list(range(1, 401))


def test_what_is_new_goes_first(outbox, start, broker):
    station = start()
    delivered(station, results(outbox, 1000))
    with closing(Mes(broker, also="top/result")) as mes:
        mes.asks(1, 1000, correlation=b"q")
        mes.wait(lambda: len(mes.heard) > 20, "the first of it")
        delivered(station, results(outbox, 40))
        assert mes.wait_closing()[0]["sent"] == 1000
        at = [nth for nth, one in enumerate(mes.heard) if one.topic.endswith("top/result")]
        assert len(at) == 40
        assert at[-1] < len(mes.heard) - 200


def test_a_backlog_goes_first(outbox, start, tmp_path):
    broker = Broker(tmp_path / "other", settings="allow_anonymous true\npersistence true\n").start()
    with closing(Mes(broker, stays=True, also="top/result")) as mes:
        station = start(broker)
        delivered(station, results(outbox, 100))
        mes.wait(lambda: len(mes.heard) == 100, "what was new")
        broker.stop()
        until(lambda: not station.publisher.state().connected, "the end of the connection", 20)
        station.publisher.notify(results(outbox, 600))
        body = {"camera": "top", "from_sequence": 1, "to_sequence": 100}
        assert station.subscribers.ask(Request(Verb.REPLAY, None, body), 1.0).status == 202
        broker.start()
        mes.wait_closing(f"{station.config.mqtt.base_topic}/top/replay")
        is_new = [one.topic.endswith("top/result") for one in mes.heard]
        newest = max(nth for nth, one in enumerate(is_new) if one)
        assert is_new[: newest + 1].count(False) <= 5


def test_rows_that_are_not_there_any_more_are_named(outbox, start, mes, folder):
    station = start()
    delivered(station, results(outbox, 20))
    with closing(sqlite3.connect(current(folder), timeout=10)) as db, db:
        db.execute("DELETE FROM rows WHERE sequence <= 5")
    mes.asks(1, 30, correlation=b"q")
    said, came = mes.wait_closing()
    assert sequences(came) == list(range(6, 21))
    assert said["missing"] == [[1, 5], [21, 30]]
    CLOSING.validate(said)


@contextmanager
def nobody_takes_it(broker):
    broker.freeze()
    try:
        yield
    finally:
        broker.thaw()


def test_too_many_at_once_are_refused_and_the_same_one_again_is_not_done_twice(outbox, start, mes, broker):
    station = start()
    delivered(station, results(outbox, 5))
    ask = ControlClient(station.config.gateway_socket, GATEWAY).ask

    def asked(**changes):
        body = {"camera": "top", "from_sequence": 1, "to_sequence": 5}
        return ask(Request(Verb.REPLAY, None, body, **changes), 5.0)

    with nobody_takes_it(broker):
        first = asked(key="one")
        assert (first.status, first.body["rows"]) == (202, 5)
        again = asked(key="one")
        assert (again.status, again.body["id"]) == (200, first.body["id"])
        assert [asked().status for _ in range(AT_ONCE_MAX)] == [202] * (AT_ONCE_MAX - 1) + [409]

    def listed():
        return ask(Request(Verb.REPLAYS), 5.0).body["replays"]

    until(lambda: {one["state"] for one in listed()} == {"done"}, "all of them", 20)
    assert [one["sent"] for one in listed()] == [5] * AT_ONCE_MAX
    assert asked().status == 202
    assert ask(Request(Verb.LOOK), 5.0).status == 422


def test_a_storm_of_requests_is_refused(outbox, start):
    station = start()
    delivered(station, results(outbox, 1))
    ask = ControlClient(station.config.gateway_socket, GATEWAY).ask
    asked = Request(Verb.REPLAY, None, {"camera": "top", "from_sequence": 1, "to_sequence": 1})
    answers = []

    def is_refused():
        answers.append(ask(asked, 5.0))
        return "ask for longer ranges" in answers[-1].body.get("error", "")

    until(is_refused, "an end of it", 15)
    assert answers[-1].status == 409
    assert sum(one.status == 202 for one in answers) == 20
