"""The whole promise by force: the appliance and the broker are killed at any moment, and a careful subscriber ends up
with every result that was ever recorded.

The subscriber does what the README tells a manufacturing execution system to do: it keeps a durable session, drops what
it has by stream and sequence, and asks for what is missing with `cmd/replay`.
"""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from outbox.brokers import Broker
from paho.mqtt.enums import CallbackAPIVersion
from running import BASE, Appliance, until

from appliance.outbox.history import History, Selection

ANSWERS = "answers/mes/1"
MANY = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Mes:
    """A subscriber that will not miss a part."""

    def __init__(self, port: int) -> None:
        self.results: dict[tuple[str, int], bytes] = {}
        """(stream, sequence) -> the payload, as it was recorded."""
        self.first: dict[str, list[int]] = defaultdict(list)
        """stream -> its sequences in the order in which they came first, replays apart."""
        self.gaps: list[dict] = []
        self.contradictions: list[tuple[str, int]] = []
        self.duplicates = 0
        self.closed: list[dict] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="mes", protocol=paho.MQTTv5)
        self._subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(f"{BASE}/+/result", 1), (f"{BASE}/+/gap", 1), (ANSWERS, 1)]
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.reconnect_delay_set(1, 1)
        stay = paho.Properties(paho.PacketTypes.CONNECT)
        stay.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=stay)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def ask_again(self, stream: str, first: int, last: int) -> None:
        properties = paho.Properties(paho.PacketTypes.PUBLISH)
        properties.ResponseTopic = ANSWERS
        wish = {"camera": "top", "stream": stream, "from_sequence": first, "to_sequence": last}
        self._client.publish(f"{BASE}/cmd/replay", json.dumps(wish), qos=1, properties=properties)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        payload, body = message.payload, json.loads(message.payload)
        if message.topic.endswith("/gap"):
            self.gaps.append(body)
            return
        if "verdict" not in body:
            if "sent" in body:
                self.closed.append(body)
            return
        key = (body["stream"], body["sequence"])
        recorded = payload.replace(b'"replayed":true', b'"replayed":false')
        if key in self.results:
            self.duplicates += 1
            if self.results[key] != recorded:
                self.contradictions.append(key)
            return
        self.results[key] = recorded
        if not body["replayed"]:
            self.first[key[0]].append(key[1])


class Witness:
    """Looks at the disk all the time: what was ever seen there has to stay, and to arrive."""

    def __init__(self, folder: Path) -> None:
        self.seen: dict[tuple[str, int], bytes] = {}
        self._folder = folder
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        history, row = History(self._folder), 0
        while not self._end.wait(0.02):
            for one in history.rows(Selection(topic="result"), after_row=row):
                row = one.row.row
                self.seen[one.row.stream, one.row.sequence] = one.row.payload
        history.close()


def processes_of(line: Appliance) -> list[int]:
    """The line and its children."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(line.process.pid)], capture_output=True, text=True, check=False
    )
    return [line.process.pid, *map(int, found.stdout.split())]


def gateway_of(line: Appliance) -> int | None:
    found = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(line.process.pid)], capture_output=True, text=True, check=False
    )
    return next((int(row.split()[0]) for row in found.stdout.splitlines() if "appliance.gateway" in row), None)


@pytest.mark.parametrize(
    ("kills", "broker_kills"),
    [pytest.param(3, 1, marks=MANY), pytest.param(100, 0, marks=MANY), pytest.param(100, 50, marks=MANY)],
)
def test_whatever_is_killed_every_recorded_result_arrives(tmp_path, kills, broker_kills):
    broker = Broker(tmp_path / "broker").start()
    line = Appliance(
        tmp_path, broker.port, line="takt_ms = 40", recipe="deadline_ms = 40", mqtt='commands = ["replay"]'
    )
    outbox = tmp_path / "state" / "outbox"
    outbox.mkdir(parents=True)
    mes, witness = Mes(broker.port), Witness(outbox)
    ends = ["line"] * kills + ["broker"] * broker_kills
    random.Random(6).shuffle(ends)
    try:
        line.start()
        for end in ends:
            known = len(witness.seen)
            until(lambda known=known: len(witness.seen) > known + 3, "parts to be recorded")
            time.sleep(random.uniform(0.0, 0.4))  # the moment of the kill is what is random here
            if end == "broker":
                broker.kill()
                broker.start()
                continue
            gateway = gateway_of(line)
            if gateway is not None and random.random() < 0.3:
                os.kill(gateway, signal.SIGKILL)
                continue
            children = processes_of(line)
            line.process.send_signal(signal.SIGKILL)
            line.process.wait(10)
            until(
                lambda children=children: (
                    not any(
                        Path(f"/proc/{one}/cmdline").exists() and Path(f"/proc/{one}/cmdline").read_bytes()
                        for one in children
                    )
                ),
                "the children to end",
                20,
            )
            line.start()
        until(lambda: line.get("/readyz")[0] == 200, "the last line to be ready")
        known = len(witness.seen)
        until(lambda: len(witness.seen) > known + 5, "its parts")
        caught_up(mes, witness, line)
        assert line.stop() == 0
        witness.stop()
        recorded = on_disk(outbox)
        assert witness.seen.items() <= recorded.items(), "what was on the disk has changed or is gone"
        until(lambda: recorded.keys() <= mes.results.keys(), "the last results", 20)
        assert {key: mes.results[key] for key in recorded} == recorded
        assert mes.contradictions == [], "a number stands for two results"
        assert mes.gaps == []
        for stream, numbers in mes.first.items():
            assert numbers == sorted(numbers), f"first deliveries of {stream} are out of order"
            assert {sequence for name, sequence in recorded if name == stream} == set(range(1, max(numbers) + 1))
        by_replay = len(recorded) - sum(map(len, mes.first.values()))
        print(f"{len(recorded)} recorded, {mes.duplicates} heard twice, {by_replay} only by {len(mes.closed)} replays")
    finally:
        witness.stop()
        line.end()
        mes.close()
        broker.stop()


def caught_up(mes: Mes, witness: Witness, line: Appliance) -> None:
    """The subscriber asks for what it misses, until it has everything that was on the disk by now."""
    wanted = dict(witness.seen)
    newest = max(sequence for _, sequence in wanted)
    until(lambda: any(sequence >= newest for _, sequence in mes.results), "the live results", 60)
    for first, last, stream in holes(wanted.keys() - mes.results.keys()):
        asked = len(mes.closed)
        mes.ask_again(stream, first, last)
        until(lambda asked=asked: len(mes.closed) > asked, f"the replay of {first} to {last}: {line.log()[-500:]}", 60)
        assert mes.closed[-1]["missing"] == []
    until(lambda: wanted.keys() <= mes.results.keys(), "what was asked for", 20)


def holes(missing: set[tuple[str, int]]) -> list[tuple[int, int, str]]:
    runs: list[list] = []
    for stream, sequence in sorted(missing):
        if runs and runs[-1][2] == stream and runs[-1][1] == sequence - 1:
            runs[-1][1] = sequence
        else:
            runs.append([sequence, sequence, stream])
    return [tuple(run) for run in runs]


def on_disk(folder: Path) -> dict[tuple[str, int], bytes]:
    history = History(folder)
    found = {(one.row.stream, one.row.sequence): one.row.payload for one in history.every(Selection(topic="result"))}
    history.close()
    return found
