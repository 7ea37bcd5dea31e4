"""The subscribers that a newcomer copies, as they are delivered, on real results of a real appliance."""

import ast
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from running import BASE, REPOSITORY, until

EXAMPLES = REPOSITORY / "deploy" / "subscribers"
PARTS = 30


class Example:
    """subscriber.py as a process; it may be killed and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._said = folder / "said"
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        command = [sys.executable, str(EXAMPLES / "subscriber.py"), "127.0.0.1", str(self._port)]
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=said, stderr=said)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def lines(self) -> list[str]:
        return self._said.read_text().splitlines() if self._said.exists() else []

    def numbers(self) -> list[int]:
        return [int(line.split()[1]) for line in self.lines() if line.startswith(f"{BASE}/top/result ")]


class Again:
    """Publishes what it is given; waits until the broker has it."""

    def __init__(self, port: int) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, topic: str, body: dict) -> None:
        self._client.publish(f"{BASE}/{topic}", json.dumps(body), qos=1).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def example(tmp_path, broker):
    (folder := tmp_path / "subscriber").mkdir()
    one = Example(folder, broker.port)
    yield one
    one.kill()


@pytest.fixture
def again(broker):
    one = Again(broker.port)
    yield one
    one.close()


def test_it_is_twenty_lines_besides_its_imports():
    tree = ast.parse((EXAMPLES / "subscriber.py").read_text())
    lines = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom) and node.lineno > 1
    }
    assert len(lines) <= 20


def test_every_verdict_once_over_its_own_kill_and_what_is_missing_is_said(example, again, appliance, subscriber):
    probe = {"stream": "0", "from_sequence": 1, "to_sequence": 1, "reason": "too_large"}
    example.start()
    until(lambda: again.publish("probe/gap", probe) or example.lines(), "the example to be subscribed", 20)

    line = appliance(line="takt_ms = 60").start("--parts", str(PARTS))
    until(lambda: len(example.numbers()) >= 3, "its first verdicts")
    example.kill()
    seen = len(example.numbers())
    assert line.wait(90) == 0, line.log()
    until(lambda: len(subscriber.results) == PARTS, "everybody's results")
    assert len(example.numbers()) == seen < PARTS
    example.start()
    until(lambda: len(set(example.numbers())) == PARTS, "what came while it was away")
    # One that was printed in the moment of the kill, and not yet noted, may be printed again.
    assert sorted(set(example.numbers())) == list(range(1, PARTS + 1))
    assert len(example.numbers()) - PARTS <= 1
    assert not any("MISSING" in one for one in example.lines())

    results = list(subscriber.results)
    stream = results[0]["stream"]
    before = len(example.lines())
    again.publish("top/result", results[4])
    again.publish("top/result", results[-1] | {"sequence": PARTS + 1})
    again.publish("top/result", results[-1] | {"sequence": PARTS + 4})
    again.publish(
        "top/gap", {"stream": stream, "from_sequence": PARTS + 5, "to_sequence": PARTS + 7, "reason": "outbox_full"}
    )
    again.publish("top/result", results[-1] | {"sequence": PARTS + 8})
    until(lambda: example.numbers()[-1] == PARTS + 8, "the last")
    verdict = f"{results[-1]['verdict']} {results[-1]['evaluation']}"
    assert example.lines()[before:] == [
        f"{BASE}/top/result {PARTS + 1} {verdict}",
        f"MISSING {PARTS + 2} to {PARTS + 3} of {stream}: ask with cmd/replay",
        f"{BASE}/top/result {PARTS + 4} {verdict}",
        f"{BASE}/top/gap {PARTS + 5} LOST outbox_full",
        f"{BASE}/top/result {PARTS + 8} {verdict}",
    ]


FLOW = json.loads((EXAMPLES / "node-red-flow.json").read_text())


def test_the_flow_can_be_imported():
    """What Node-RED's import asks for: ids, types, places, wires that lead somewhere, a broker for each topic."""
    ids = [node["id"] for node in FLOW]
    assert len(set(ids)) == len(ids)
    kinds = {node["id"]: node["type"] for node in FLOW}
    assert sorted(set(kinds.values())) == ["debug", "function", "mqtt in", "mqtt-broker", "tab"]
    (tab,) = [node for node in FLOW if node["type"] == "tab"]
    (broker,) = [node for node in FLOW if node["type"] == "mqtt-broker"]
    for node in FLOW:
        if node["type"] in ("tab", "mqtt-broker"):
            continue
        assert node["z"] == tab["id"]
        assert {"x", "y", "wires"} <= set(node)
        assert all(kinds[target] in ("function", "debug") for wire in node["wires"] for target in wire)
        if node["type"] == "mqtt in":
            assert (node["broker"], node["qos"], node["datatype"]) == (broker["id"], "1", "json")
        if node["type"] == "function":
            assert node["outputs"] == len(node["wires"])
    assert (broker["protocolVersion"], broker["cleansession"], int(broker["sessionExpiry"])) == ("5", False, 604_800)
    assert broker["clientid"]
    topics = {node["topic"].rpartition("/")[2] for node in FLOW if node["type"] == "mqtt in"}
    assert topics == {"result", "gap"}


HARNESS = """
const store = {};
const context = { get: (key) => store[key], set: (key, value) => { store[key] = value; } };
const node = { warn: () => {}, status: () => {} };
const step = new Function("msg", "context", "node", process.argv[1]);
const answers = JSON.parse(process.argv[2]).map((payload) => step({ topic: "t", payload }, context, node));
console.log(JSON.stringify(answers));
"""


def test_the_flows_function_drops_duplicates_and_says_what_is_missing():
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed: the flow's function cannot run")
    (function,) = [node["func"] for node in FLOW if node["type"] == "function"]
    result = {"stream": "a", "verdict": "fail", "evaluation": "NotOK"}
    told = [
        *(result | {"sequence": number} for number in (7, 8, 7, 8, 11)),
        {"stream": "a", "from_sequence": 12, "to_sequence": 20, "reason": "outbox_full"},
        result | {"sequence": 21},
        result | {"stream": "b", "sequence": 1},
    ]
    done = subprocess.run(
        ["node", "-e", HARNESS, function, json.dumps(told)], capture_output=True, text=True, timeout=30, check=True
    )
    answers = json.loads(done.stdout)
    verdicts = [answer and answer[0] and answer[0]["payload"]["sequence"] for answer in answers]
    missing = [answer and answer[1] and answer[1]["payload"] for answer in answers]
    assert verdicts == [7, 8, None, None, 11, None, 21, 1]
    assert missing == [
        *([None] * 4),
        {"stream": "a", "from_sequence": 9, "to_sequence": 10},
        *([None] * 3),
    ]
