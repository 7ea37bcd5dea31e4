"""Everything that can go wrong between the box and a real broker: said in a sentence, and nothing is lost by it."""

import subprocess
import sys
from contextlib import closing

import pytest
from outbox.brokers import BASE, Broker, Listener
from outbox.conftest import settings
from outbox.messages import append, result
from outbox.proxies import QUOTA_EXCEEDED, Proxy, refusal
from outbox.test_publisher import GATEWAY, resident_bytes
from outbox.test_publisher_access import READER, protected
from running import until

from appliance.mqtt import link
from appliance.outbox.disk.database import Limits
from appliance.outbox.disk.numbering import Entry, Losses
from appliance.outbox.disk.opening import open_database
from appliance.outbox.sender import delivery
from appliance.outbox.sender.publisher import Publisher


@pytest.fixture
def proxy(broker):
    with closing(Proxy(broker.port)) as one:
        yield one


def problem(publisher):
    return publisher.state().problem or ""


def test_a_quota_holds_results_back_and_none_of_them_is_called_sent(open_outbox, proxy, listener, publish):
    proxy.on_publish = lambda topic, number: refusal(number, QUOTA_EXCEEDED) if topic.endswith("/result") else None
    outbox = open_outbox()
    publisher = publish(proxy)
    newest = append(outbox, 60)
    until(lambda: "Quota exceeded" in problem(publisher), "the sentence")
    assert f"{BASE}/top/result" in problem(publisher)
    publisher.publish_retained("health", b"{}")
    listener.wait_for("health", b"{}")
    assert publisher.state().acknowledged == 0
    assert publisher.state().published_total == 0
    assert listener.on("top/result") == []
    assert outbox.depth().rows == 60
    proxy.on_publish = lambda _topic, _number: None
    assert publisher.wait_acknowledged(newest, 20)
    listener.wait(lambda it: len(it.on("top/result")) == 60, "all results")
    assert listener.numbers() == list(range(1, 61))
    assert publisher.state().problem is None


@pytest.mark.parametrize("topic", ["top/result", "top/last", "health"])
def test_a_message_that_ends_each_connection_without_an_answer_is_found_out(
    open_outbox, proxy, listener, publish, topic
):
    """Mosquitto with max_queued_messages 0 does so now and then: its answer is lost with the connection."""
    proxy.on_publish = lambda found, _number: b"" if found == f"{BASE}/{topic}" else None
    outbox = open_outbox()
    publisher = publish(proxy)
    publisher.publish_retained("health", b"{}")
    newest = append(outbox, 60)
    until(lambda: f"refuses messages on {BASE}/{topic} (it ends the connection" in problem(publisher), "the sentence")
    if topic == "top/result":
        assert publisher.state().acknowledged == 0
        assert outbox.depth().rows == 60
        listener.wait_for("health", b"{}")  # what is not refused does not wait
        proxy.on_publish = lambda _topic, _number: None
    assert publisher.wait_acknowledged(newest, 30)
    listener.wait(lambda it: len(it.numbers()) == 60, "all results")
    assert listener.numbers() == list(range(1, 61))
    until(lambda: "our client id" not in problem(publisher), "no talk of a second box")


def test_a_gap_that_may_not_be_written_is_not_called_sent(tmp_path, folder, publish):
    rules = f"user box1\ntopic write {BASE}/availability\ntopic write {BASE}/top/result\ntopic write {BASE}/top/last\n"
    broker = protected(tmp_path, READER + rules, "max_queued_messages 1000\n")
    secret = tmp_path / "password"
    secret.write_text("right\n")
    database = open_database(folder, Limits(64 * 1024**2, drop_oldest=False))
    database.write([Entry("top", "result", result()) for _ in range(3)], 0)
    database.write([Losses({("top", "result"): 2}, "not_recorded")], 0)
    database.write([Entry("top", "result", result()) for _ in range(3)], 0)
    database.close()
    with closing(Listener(broker, user="reader")) as listener:
        publisher = publish(broker, username="box1", password_file=str(secret))
        until(lambda: f"refuses messages on {BASE}/top/gap" in problem(publisher), "the sentence")
        until(lambda: publisher.state().acknowledged == 3, "what was before it")
        assert listener.on("top/gap") == []
        (broker.folder / "acl").write_text(f"{READER}{rules}topic write {BASE}/top/gap\n")
        broker.reload()
        assert publisher.wait_acknowledged(7, 30)
        listener.wait(lambda it: it.on("top/gap"), "the gap")
        assert listener.on("top/gap")[0].json["to_sequence"] == 5
        assert listener.numbers() == [1, 2, 3, 6, 7, 8]
    publisher.stop(1)
    broker.stop()


@pytest.mark.parametrize("direction", ["to", "from", "both"])
def test_a_network_that_swallows_bytes_is_left_and_found_again(
    open_outbox, proxy, listener, publish, monkeypatch, direction
):
    monkeypatch.setattr(delivery, "_STALLED_S", 0.5)
    monkeypatch.setattr(link, "_ANSWER_S", 0.5)
    outbox = open_outbox()
    publisher = publish(proxy)
    assert publisher.wait_acknowledged(append(outbox, 20), 20)
    proxy.swallows_to_broker = direction in {"to", "both"}
    proxy.swallows_from_broker = direction in {"from", "both"}
    before = publisher.state().acknowledged
    newest = append(outbox, 100)
    until(lambda: not publisher.state().connected, "the silence to be noticed")
    assert publisher.state().acknowledged == before
    assert "MQTT broker" in problem(publisher)
    proxy.swallows_to_broker = proxy.swallows_from_broker = False
    assert publisher.wait_acknowledged(newest, 30)
    listener.wait(lambda it: len(it.numbers()) == 120, "all results")
    assert listener.numbers() == list(range(1, 121))


def test_a_slow_network_is_no_reason_to_connect_again(open_outbox, proxy, listener, publish):
    proxy.delay_s = 0.01  # for each packet
    outbox = open_outbox()
    publisher = publish(proxy)
    assert publisher.wait_acknowledged(append(outbox, 150), 30)
    listener.wait(lambda it: len(it.on("top/result")) == 150, "all results")
    assert listener.numbers() == list(range(1, 151))
    assert len(listener.on("top/result")) == 150
    assert proxy.connections == 1


def test_through_a_flapping_broker_everything_arrives(open_outbox, proxy, listener, publish):
    outbox = open_outbox()
    publisher = publish(proxy)
    for round_ in range(1, 5):
        newest = append(outbox, 40)
        until(lambda round_=round_: publisher.state().acknowledged > 40 * (round_ - 1), "some of it")
        proxy.cut()
    assert publisher.wait_acknowledged(newest, 30)
    listener.wait(lambda it: len(it.numbers()) == 160, "all results")
    assert listener.numbers() == list(range(1, 161))


def test_two_boxes_with_one_id_both_deliver_everything(open_outbox, broker, listener, publish, folder, tmp_path):
    first = publish(broker)
    until(lambda: first.state().connected, "the first")
    other = tmp_path / "copy"
    twin = open_outbox(folder=other)
    (other / "client-id").write_bytes((folder / "client-id").read_bytes())
    second = Publisher(other, settings(broker), "box1")
    second.start()
    ours = open_outbox()
    ours_newest, twin_newest = append(ours, 300), append(twin, 300, camera="side")
    assert first.wait_acknowledged(ours_newest, 60)
    assert second.wait_acknowledged(twin_newest, 60)
    for camera in ("top", "side"):
        listener.wait(lambda it, camera=camera: len(it.numbers(camera)) == 300, "all results")
        assert listener.numbers(camera) == list(range(1, 301))
    until(lambda: "our client id" in problem(first) or "our client id" in problem(second), "it to be said")
    second.stop(1)


def test_mqtt_3_is_said_for_as_long_as_it_is_configured(broker, publish):
    publisher = publish(broker, protocol="3.1.1")
    until(lambda: publisher.state().connected, "the connection")
    assert publisher.state().problem is None
    assert "looks like a delivered one" in publisher.state().remark
    assert publisher.state().notices == ()
    publisher.stop(1)
    assert publish(broker).state().remark is None


def test_whole_topics_are_published_and_subscribed_to(folder, broker):
    heard = []
    publisher = Publisher(
        folder, settings(broker), "box1", on_received=heard.append, whole_topics=("homeassistant/status",)
    )
    publisher.start()
    publisher.publish_retained_at("homeassistant/status", b"here")
    until(lambda: any(one.payload == b"here" for one in heard), "the message")
    publisher.publish_once_at("homeassistant/status", b"once")
    until(lambda: any(one.payload == b"once" for one in heard), "the message")
    assert {one.topic for one in heard} == {"homeassistant/status"}
    for wrong in ("homeassistant/+/status", "$SYS/x", "", "/".join("a" * 17)):
        with pytest.raises(RuntimeError):
            publisher.publish_retained_at(wrong, b"")
    publisher.stop(1)


def test_the_speed_of_the_last_minute_is_told(open_outbox, broker, publish):
    outbox = open_outbox()
    publisher = publish(broker)
    assert publisher.state().taken_per_s == 0
    assert publisher.wait_acknowledged(append(outbox, 100), 20)
    assert publisher.state().taken_per_s > 1


def test_receipts_that_come_together_are_told_together(open_outbox, broker, folder):
    told = []
    outbox = open_outbox()
    newest = append(outbox, 1000)
    publisher = Publisher(folder, settings(broker), "box1", on_acknowledged=told.append)
    publisher.start()
    until(lambda: told and told[-1] == newest, "the last receipt to be told")
    publisher.stop(1)
    assert told == sorted(set(told))
    assert len(told) < 700


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_broker_that_is_down_for_100_000_results_gets_them_all(folder, tmp_path):
    """More than the 65,535 messages that MQTT can number; memory stays flat, down and catching up."""
    count = 100_000
    database = open_database(folder, Limits(256 * 1024**2, drop_oldest=False))
    for _ in range(count // 1000):
        database.write([Entry("top", "result", result(pad="x" * 500)) for _ in range(1000)], 0)
    database.close()
    broker = Broker(tmp_path / "late")
    command = [sys.executable, "-c", GATEWAY, str(folder), settings(broker).model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"started\n"
        early = resident_bytes(child.pid)
        broker.start()
        with closing(Listener(broker)) as listener:
            listener.wait(lambda it: it.counts["top/result"] >= count, "all of it", 400)
            late = resident_bytes(child.pid)
            child.kill()
            assert listener.numbers() == list(range(1, count + 1))
    assert late - early < 8 * 1024**2
    broker.stop()
