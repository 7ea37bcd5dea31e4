"""Killed at any moment, on any side: what was recorded is delivered, in order, and no number is used twice."""

import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from outbox.brokers import DURABLE, Broker, Listener
from outbox.conftest import settings
from outbox.line import Line
from outbox.messages import result
from outbox.test_publisher import GATEWAY
from running import until

from appliance.mqtt import link

CAMERAS = ("top", "side")
MANY = [pytest.mark.slow, pytest.mark.timeout(1200)]


def assert_nothing_lost(recorded, listener):
    """What is on the disk was heard byte for byte, in order, without a hole, each number once."""
    heard = {}
    for camera in CAMERAS:
        firsts = {}
        for one in listener.on(f"{camera}/result"):
            key = (camera, one.json["stream"], one.json["sequence"])
            assert firsts.setdefault(key, one.payload) == one.payload, f"{key} stands for two results"
        assert [key[2] for key in firsts] == list(range(1, len(firsts) + 1)), f"order or a hole at {camera}"
        assert len({key[1] for key in firsts}) <= 1
        heard |= firsts
    lost = [key for _, *key, payload in recorded if heard.get(tuple(key)) != payload]
    assert lost == []
    assert listener.on("top/gap") == listener.on("side/gap") == []


def pause(low, high):
    """How long a life lasts: the moment of the kill is what is random here."""
    time.sleep(random.uniform(low, high))


@pytest.mark.parametrize("rounds", [12, pytest.param(200, marks=MANY)])
def test_the_line_may_be_killed_at_any_moment(folder, tmp_path, publish, rounds):
    broker = Broker(tmp_path / "broker").start()
    publisher = publish(broker)
    line = Line(folder)
    with closing(Listener(broker)) as listener:
        for _ in range(rounds):
            before = len(line.recorded)
            line.start()
            until(lambda before=before: len(line.recorded) > before, "the line to record")
            pause(0.0, 0.5)
            line.kill()
        assert publisher.wait_acknowledged(max(row for row, *_ in line.recorded), 30)
        wanted = {(camera, sequence) for _, camera, _, sequence, _ in line.recorded}
        listener.wait(lambda it: wanted <= {(c, n) for c in CAMERAS for n in it.numbers(c)}, "all that was recorded")
        assert len(line.recorded) > 20 * rounds
        assert_nothing_lost(line.recorded, listener)
        publisher.stop(1)


@pytest.mark.parametrize("rounds", [6, pytest.param(100, marks=MANY)])
def test_the_gateway_may_be_killed_at_any_moment(folder, tmp_path, open_outbox, rounds):
    broker = Broker(tmp_path / "broker").start()
    outbox = open_outbox()
    with closing(Listener(broker)) as listener:
        for nth in range(rounds + 1):
            known = len(listener.heard)
            gateway = subprocess.Popen(
                [sys.executable, "-c", GATEWAY, str(folder), settings(broker).model_dump_json()],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            stop = threading.Event()
            feeding = threading.Thread(target=feed, args=(outbox, stop))
            feeding.start()
            listener.wait(lambda it, known=known: len(it.heard) > known + 50, "results")
            pause(0.0, 0.5)
            stop.set()
            feeding.join()
            if nth == rounds:
                until(lambda: outbox.depth().queued == 0, "everything to be on the disk")
                listener.wait(lambda it: len(it.numbers()) == len(outbox.record.payloads()), "all results")
            gateway.send_signal(signal.SIGKILL)
            gateway.communicate()
        recorded = [(r.row, r.camera, r.stream, r.sequence, r.payload) for r in outbox.record.rows.values()]
        assert_nothing_lost(recorded, listener)


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=MANY)])
def test_the_broker_may_be_killed_while_results_flow(folder, tmp_path, open_outbox, publish, rounds, monkeypatch):
    monkeypatch.setattr(link, "_RETRY_LAST_S", 1.0)
    broker = Broker(tmp_path / "broker", settings="allow_anonymous true\n" + DURABLE).start()
    outbox = open_outbox()
    publisher = publish(broker)
    stop = threading.Event()
    feeding = threading.Thread(target=feed, args=(outbox, stop, 60))
    with closing(Listener(broker)) as listener:
        feeding.start()
        for _ in range(rounds):
            known = publisher.state().published_total
            until(lambda known=known: publisher.state().published_total > known + 30, "results to flow")
            pause(0.0, 0.5)
            broker.kill()
            pause(0.0, 0.3)
            broker.start()
        stop.set()
        feeding.join()
        until(lambda: outbox.depth().queued == 0, "everything to be on the disk")
        assert publisher.wait_acknowledged(outbox.record.recorded[-1].row, 60)
        until(lambda: len(listener.numbers()) >= len(outbox.record.payloads()), "all results", 60)
        recorded = [(r.row, r.camera, r.stream, r.sequence, r.payload) for r in outbox.record.rows.values()]
        assert_nothing_lost(recorded, listener)
        publisher.stop(1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_everything_may_be_killed_at_once(folder, tmp_path):
    """The line, the gateway and the broker, in any order, many times over."""
    broker = Broker(tmp_path / "broker", settings="allow_anonymous true\n" + DURABLE).start()
    line = Line(folder)
    command = [sys.executable, "-c", GATEWAY, str(folder), settings(broker).model_dump_json()]
    with closing(Listener(broker)) as listener:
        for _ in range(60):
            line.start(rate=60)
            gateway = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            pause(0.5, 4.0)
            gateway.send_signal(signal.SIGKILL)
            gateway.communicate()
            pause(0.0, 0.2)
            line.kill()
            if random.random() < 0.3:
                broker.kill()
                broker.start()
        line.start(rate=20)
        gateway = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        pause(1, 2)
        line.kill()
        wanted = {(camera, sequence) for _, camera, _, sequence, _ in line.recorded}
        listener.wait(lambda it: wanted <= {(c, n) for c in CAMERAS for n in it.numbers(c)}, "all results", 120)
        gateway.send_signal(signal.SIGKILL)
        gateway.communicate()
        print(f"{len(line.recorded)} recorded, {len(listener.heard)} messages heard")
        assert_nothing_lost(line.recorded, listener)


def feed(outbox, stop, rate=200):
    while not stop.wait(1 / rate):
        outbox.append("top", "result", result())
