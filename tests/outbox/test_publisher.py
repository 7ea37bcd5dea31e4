"""The gateway's side, against a real Mosquitto: everything on the disk reaches the broker, in order, byte for byte."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from outbox.brokers import BASE, DURABLE, Broker, Listener
from outbox.conftest import settings
from outbox.line import Line
from outbox.messages import append
from running import free_port, until

from appliance.mqtt import link
from appliance.mqtt.config import MqttConfig
from appliance.outbox.sender import delivery
from appliance.outbox.sender.publisher import RETAINED_MAX_BYTES, Publisher


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_every_result_arrives_once_in_order_and_byte_for_byte(open_outbox, broker, listener, publish, protocol):
    outbox = open_outbox()
    publisher = publish(broker, protocol=protocol)
    append(outbox, 150)
    newest = append(outbox, 150, camera="side")
    assert publisher.wait_acknowledged(newest, 20)
    for camera in ("top", "side"):
        listener.wait(lambda it, camera=camera: len(it.on(f"{camera}/result")) >= 150, "150 results")
        assert [one.payload for one in listener.on(f"{camera}/result")] == outbox.record.payloads(camera)
        assert listener.numbers(camera) == list(range(1, 151))
        assert not any(one.retained for one in listener.on(f"{camera}/result"))
    assert publisher.state().published_total == 300


def test_subscribers_with_mqtt_5_get_the_content_type_and_cloudevents(open_outbox, broker, listener, publish):
    outbox = open_outbox()
    publish(broker)
    append(outbox, 1)
    listener.wait(lambda it: it.on("top/result"), "the result")
    heard = listener.on("top/result")[0]
    assert heard.properties["ContentType"] == "application/json"
    assert heard.properties["PayloadFormatIndicator"] == 1
    assert dict(heard.properties["UserProperty"]) == {
        "specversion": "1.0",
        "id": f"{heard.json['stream']}/1",
        "source": f"/{BASE}/top",
        "type": "inspection.result.v1",
    }


def test_cloudevents_can_be_left_out(open_outbox, broker, listener, publish):
    outbox = open_outbox()
    publish(broker, cloudevents=False)
    append(outbox, 1)
    listener.wait(lambda it: it.on("top/result"), "the result")
    assert "UserProperty" not in listener.on("top/result")[0].properties


def test_who_joins_late_reads_the_last_result_and_that_we_are_online(open_outbox, broker, listener, publish):
    outbox = open_outbox()
    publisher = publish(broker)
    newest = append(outbox, 20)
    assert publisher.wait_acknowledged(newest, 20)
    publisher.publish_retained("health", b'{"device_health":"NORMAL"}')
    listener.wait_for("health", b'{"device_health":"NORMAL"}')
    listener.wait_for("top/last", outbox.record.payloads()[-1])
    with closing(Listener(broker, name="late")) as late:
        late.wait_for("availability", b"online")
        late.wait_for("health", b'{"device_health":"NORMAL"}')
        late.wait_for("top/last", outbox.record.payloads()[-1])
        assert late.on("top/result") == []
        assert late.on("availability")[0].properties == {"PayloadFormatIndicator": 1}
        assert all(one.retained for one in late.on("health"))


def test_only_changes_of_retained_topics_are_sent(broker, listener, publish):
    publisher = publish(broker)
    for payload in (b"1", b"1", b"1", b"2"):
        publisher.publish_retained("model", payload)
        listener.wait_for("model", payload)
    publisher.publish_retained("done", b"")
    publisher.publish_retained("done", b"x")
    listener.wait_for("done", b"x")
    assert [one.payload for one in listener.on("model")] == [b"1", b"2"]


def test_a_stop_sends_what_is_there_and_says_offline(open_outbox, broker, listener, publish):
    outbox = open_outbox()
    append(outbox, 500)
    publisher = publish(broker)
    listener.wait_for("availability", b"online")
    publisher.stop(20)
    listener.wait_for("availability", b"offline")
    assert listener.numbers() == list(range(1, 501))
    topics = [one.topic for one in listener.heard]
    assert topics[-1] == "availability", "nothing comes after the good-bye"


def test_a_frozen_broker_does_not_hold_up_a_stop(open_outbox, broker, publish):
    outbox = open_outbox()
    publisher = publish(broker)
    assert publisher.wait_acknowledged(append(outbox, 5), 20)
    broker.freeze()
    append(outbox, 2000, pad="x" * 4000)
    begin = time.monotonic()
    publisher.stop(0.5)
    assert time.monotonic() - begin < 5
    broker.thaw()


def test_results_of_a_line_that_died_are_sent_though_it_never_comes_back(folder, broker, listener, publish):
    line = Line(folder)
    line.start()
    until(lambda: len(line.recorded) > 50, "results")
    line.kill()
    assert (folder / "results-1.db-wal").exists()
    publisher = publish(broker)
    assert publisher.wait_acknowledged(line.recorded[-1][0], 20)
    assert publisher.state().problem is None
    listener.wait(lambda it: len(it.numbers("top")) + len(it.numbers("side")) >= len(line.recorded), "all results")


def test_a_stop_without_a_broker_does_not_wait(open_outbox, folder):
    outbox = open_outbox()
    append(outbox, 10)
    publisher = Publisher(folder, settings(SimpleNamespace(port=free_port())), "box1")
    publisher.start()
    until(lambda: "does not answer" in (publisher.state().problem or ""), "the problem to be noticed")
    begin = time.monotonic()
    publisher.stop(30)
    assert time.monotonic() - begin < 3


GATEWAY = """
import sys
from pathlib import Path
from appliance.mqtt.config import MqttConfig
from appliance.outbox.disk.database import Limits
from appliance.outbox.disk.numbering import Entry
from appliance.outbox.disk.opening import open_database
from appliance.outbox.sender.publisher import Publisher
publisher = Publisher(Path(sys.argv[1]), MqttConfig.model_validate_json(sys.argv[2]), "box1")
publisher.start()
print("started", flush=True)
sys.stdin.read()
"""


def test_a_gateway_that_is_killed_is_offline_for_everybody(folder, broker, listener):
    child = subprocess.Popen(
        [sys.executable, "-c", GATEWAY, str(folder), settings(broker).model_dump_json()],
        stdin=subprocess.PIPE,
    )
    try:
        listener.wait_for("availability", b"online")
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    listener.wait_for("availability", b"offline")


def test_a_gateway_goes_on_where_the_one_before_ended(open_outbox, broker, listener, folder):
    outbox = open_outbox()
    first = Publisher(folder, settings(broker), "box1")
    first.start()
    assert first.wait_acknowledged(append(outbox, 200), 20)
    first.stop(5)
    second = Publisher(folder, settings(broker), "box1")
    second.start()
    assert second.wait_acknowledged(append(outbox, 100), 20)
    second.stop(5)
    listener.wait(lambda it: len(it.numbers()) == 300, "all results")
    assert len(listener.on("top/result")) == 300, "nothing was sent twice"


def known_to_a_listener(folder):
    """A broker that is not running, and that will keep for the listener what comes before the listener is back."""
    broker = Broker(folder, settings="allow_anonymous true\n" + DURABLE).start()
    Listener(broker).close()
    broker.stop()
    return broker


def test_without_a_broker_results_wait_and_then_all_arrive_in_order(open_outbox, tmp_path, publish):
    broker = known_to_a_listener(tmp_path / "late")
    outbox = open_outbox()
    publisher = publish(broker)
    newest = append(outbox, 3000)
    until(lambda: "does not answer there" in (publisher.state().problem or ""), "the sentence")
    assert str(broker.port) in publisher.state().problem
    assert not publisher.state().connected
    broker.start()
    with closing(Listener(broker)) as listener:
        try:
            assert publisher.wait_acknowledged(newest, 30)
            assert publisher.state().problem is None
            listener.wait(lambda it: len(it.on("top/result")) == 3000, "all results")
            assert listener.numbers() == list(range(1, 3001))
        finally:
            publisher.stop(5)
    broker.stop()


def resident_bytes(process):
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096


def test_health_does_not_wait_for_the_end_of_a_backlog(open_outbox, tmp_path, publish):
    broker = Broker(tmp_path / "quick").start()
    outbox = open_outbox()
    newest = append(outbox, 4000)
    with closing(Listener(broker)) as listener:
        publisher = publish(broker)
        publisher.publish_retained("health", b"{}")
        assert publisher.wait_acknowledged(newest, 30)
        listener.wait(lambda it: len(it.on("top/result")) == 4000, "all results", 90)
        publisher.stop(1)
    broker.stop()
    topics = [one.topic for one in listener.heard]
    assert topics.index("health") < 500
    assert topics[0] == "availability"


def test_after_a_restart_of_the_broker_retained_topics_are_there_again(open_outbox, tmp_path, publish):
    broker = Broker(tmp_path / "forgetful", settings="allow_anonymous true\n").start()
    outbox = open_outbox()
    publisher = publish(broker)
    publisher.publish_retained("health", b"{}")
    assert publisher.wait_acknowledged(append(outbox, 5), 20)
    broker.kill()
    broker.start()
    with closing(Listener(broker)) as late:
        late.wait_for("availability", b"online")
        late.wait_for("health", b"{}")
        late.wait_for("top/last", outbox.record.payloads()[-1])
        publisher.stop(2)
    broker.stop()


def test_what_a_crashed_broker_may_have_forgotten_is_sent_again(open_outbox, tmp_path, publish):
    broker = known_to_a_listener(tmp_path / "forgetful")
    before = (broker.folder / "mosquitto.db").read_bytes()
    broker.start()
    outbox = open_outbox()
    publisher = publish(broker)
    assert publisher.wait_acknowledged(append(outbox, 5), 20)
    broker.kill()
    (broker.folder / "mosquitto.db").write_bytes(before)
    broker.start()
    with closing(Listener(broker)) as listener:
        listener.wait(lambda it: len(it.numbers()) == 5, "the five results again")
        assert [one.payload for one in listener.on("top/result")] == outbox.record.payloads()
        publisher.stop(2)
    broker.stop()


def test_a_broker_that_freezes_is_left_and_found_again(open_outbox, broker, listener, publish, monkeypatch):
    monkeypatch.setattr(delivery, "_STALLED_S", 1.0)
    monkeypatch.setattr(link, "_ANSWER_S", 1.0)
    outbox = open_outbox()
    publisher = publish(broker)
    assert publisher.wait_acknowledged(append(outbox, 20), 20)
    broker.freeze()
    newest = append(outbox, 200)
    until(lambda: not publisher.state().connected, "the silence to be noticed")
    assert publisher.state().problem is not None
    broker.thaw()
    assert publisher.wait_acknowledged(newest, 30)
    listener.wait(lambda it: len(it.numbers()) == 220, "all results")
    assert listener.numbers() == list(range(1, 221))


def test_mqtt_3_is_warned_of(broker, publish, caplog):
    publish(broker, protocol="3.1.1")
    assert "looks like a delivered one" in caplog.text


def test_two_boxes_with_one_id_are_noticed(broker, publish, tmp_path, folder):
    first = publish(broker)
    until(lambda: first.state().connected, "the first")
    other = tmp_path / "copy"
    other.mkdir()
    shutil.copy(folder / "client-id", other)
    second = Publisher(other, settings(broker), "box1")
    second.start()
    for one in (first, second):
        until(lambda one=one: "our client id box1-" in (one.state().problem or ""), "both to notice")
        assert "delete the file client-id on one of them" in one.state().problem
    until(lambda: first.state().connected or second.state().connected, "one to have its turn")
    assert "our client id box1-" in first.state().problem
    second.stop(1)


def test_two_gateways_on_one_outbox_do_not_publish_twice(broker, publish):
    first = publish(broker)
    until(lambda: first.state().connected, "the first")
    second = publish(broker)
    until(lambda: "Another gateway publishes" in (second.state().problem or ""), "the second to notice")
    first.stop(1)
    until(lambda: second.state().connected, "the second to take over")


def test_the_brokers_own_limit_of_messages_under_way_is_kept(tmp_path, open_outbox, publish):
    broker = Broker(tmp_path / "narrow", settings="allow_anonymous true\nmax_inflight_messages 3\n" + DURABLE).start()
    outbox = open_outbox()
    newest = append(outbox, 300)
    publisher = publish(broker)
    assert publisher.wait_acknowledged(newest, 20)
    assert publisher._delivery._window_max == 3
    publisher.stop(1)
    broker.stop()


def test_a_result_too_long_for_the_broker_waits_and_is_said(tmp_path, open_outbox, publish):
    broker = Broker(tmp_path / "tight", settings="allow_anonymous true\nmax_packet_size 2000\n" + DURABLE).start()
    outbox = open_outbox()
    newest = append(outbox, 3, pad="x" * 3000)
    publisher = publish(broker)
    until(lambda: "at most 2000 bytes" in (publisher.state().problem or ""), "the sentence")
    assert publisher.state().acknowledged == 0
    broker.stop()
    config = broker.folder / "mosquitto.conf"
    config.write_text(config.read_text().replace("max_packet_size 2000\n", ""))
    broker.start()
    assert publisher.wait_acknowledged(newest, 20)
    publisher.stop(1)
    broker.stop()


@pytest.mark.parametrize("talk", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\xff\xff\xff\xff\x7f", bytes(64)])
def test_a_port_that_is_not_a_brokers_is_one_clear_sentence(publish, monkeypatch, talk):
    monkeypatch.setattr(link, "_ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        publisher = publish(SimpleNamespace(port=server.getsockname()[1]))
        with server.accept()[0] as client:
            client.sendall(talk)
            until(lambda: "was not reached yet" not in (publisher.state().problem or ""), "the sentence")
        problem = publisher.state().problem
        assert problem is not None
        assert "MQTT broker 127.0.0.1:" in problem
        publisher.stop(1)


def test_a_name_that_nobody_knows_is_one_clear_sentence(folder):
    config = MqttConfig(host="broker.invalid", base_topic=BASE)
    publisher = Publisher(folder, config, "box1")
    publisher.start()
    until(lambda: "host" in (publisher.state().problem or ""), "the sentence", 40)
    assert "broker.invalid:1883" in publisher.state().problem
    publisher.stop(1)


@pytest.mark.parametrize("topic", ["", "+", "#", "a b", "a/b/c/d", "/health", "health/", "$SYS"])
def test_a_retained_topic_that_cannot_be_one_is_a_bug(broker, publish, topic):
    with pytest.raises(RuntimeError):
        publish(broker).publish_retained(topic, b"")


def test_a_retained_message_that_is_too_long_is_a_bug(broker, publish):
    with pytest.raises(RuntimeError):
        publish(broker).publish_retained("health", bytes(RETAINED_MAX_BYTES + 1))


def test_the_lines_process_never_meets_paho():
    program = "import sys, appliance.outbox.store; print(sorted({'paho', 'pydantic', 'ssl'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout.replace("'", '"')) == []


def test_nothing_is_left_open_after_a_stop(broker, folder):
    def sockets():
        links = (read_link(descriptor) for descriptor in Path("/proc/self/fd").iterdir())
        return {link for link in links if link.startswith("socket")}

    before, threads = sockets(), threading.active_count()
    publisher = Publisher(folder, settings(broker), "box1")
    publisher.start()
    until(lambda: publisher.state().connected, "the connection")
    publisher.stop(1)
    assert sockets() == before
    assert threading.active_count() == threads


def read_link(descriptor):
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def test_a_publisher_that_dies_of_a_bug_is_said_and_is_offline(broker, listener, publish, monkeypatch):
    publisher = publish(broker)
    listener.wait_for("availability", b"online")
    monkeypatch.setattr(threading, "excepthook", lambda *_: None)
    monkeypatch.setattr(delivery.Delivery, "put", lambda *_: 1 / 0)
    publisher.publish_retained("health", b"{}")
    listener.wait_for("availability", b"offline")
    until(lambda: not publisher.state().connected, "the end of its thread", 10)
    assert "restart the gateway" in publisher.state().problem
