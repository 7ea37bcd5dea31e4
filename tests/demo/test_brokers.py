"""The demonstration's own broker, Mosquitto or amqtt: really running, private, gone afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from running import until

from appliance.demo import broker as broker_module
from appliance.demo.broker import Broker, BrokerError, BrokerKind, choose

COMMAND = [sys.executable, "-m", "appliance.cli", "demo"]
KINDS = [
    pytest.param(kind, marks=pytest.mark.skipif(not there, reason=f"{kind.value} is not installed"))
    for kind, there in (
        (BrokerKind.MOSQUITTO, broker_module._mosquitto() is not None),
        (BrokerKind.AMQTT, broker_module._has_amqtt()),
    )
]
AMQTT = KINDS[1]


@pytest.fixture(params=KINDS)
def started(request, tmp_path):
    one = Broker(tmp_path, request.param)
    one.start()
    yield one
    one.stop()


def processes_of(folder: Path) -> list[int]:
    """Whoever runs with something of this folder as an argument."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def test_what_is_published_arrives_in_the_newest_mqtt_that_it_speaks(started):
    heard = threading.Event()
    protocol = paho.MQTTv5 if started.kind.protocol == "5" else paho.MQTTv311
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    client.on_connect = lambda it, *_: it.subscribe("a/b", qos=1)
    client.on_subscribe = lambda it, *_: it.publish("a/b", b"x" * 100_000, qos=1)
    client.on_message = lambda _client, _data, message: message.payload == b"x" * 100_000 and heard.set()
    client.connect("127.0.0.1", started.port)
    client.loop_start()
    try:
        assert heard.wait(10)
    finally:
        client.disconnect()
        client.loop_stop()


def test_it_listens_on_loopback_only(started):
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == started.port
    ]
    assert listening == [f"0100007F:{started.port:04X}"]


def test_it_is_gone_after_stop(started, tmp_path):
    assert len(processes_of(tmp_path)) == 1
    started.check()
    started.stop()
    started.stop()
    assert processes_of(tmp_path) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", started.port), 1)


def test_one_that_ended_by_itself_is_told_with_its_log(started, tmp_path):
    os.kill(processes_of(tmp_path)[0], signal.SIGKILL)
    started._process.wait(10)
    with pytest.raises(BrokerError, match=rf"{started.kind.value} ended by itself \(code -9\).*{started.log}"):
        started.check()


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_cannot_start_is_told_with_its_log_and_leaves_nothing(kind, tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(broker_module, "_free_port", lambda: taken.getsockname()[1])
        monkeypatch.setattr(broker_module, "_START_S", 2.0)
        one = Broker(tmp_path, kind)
        with pytest.raises(BrokerError, match=f"{kind.value} did not start"):
            one.start()
        one.stop()
    assert "in use" in one.log.read_text()
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(
    ("mosquitto", "amqtt", "wanted", "found"),
    [
        (True, True, None, BrokerKind.MOSQUITTO),
        (True, True, BrokerKind.AMQTT, BrokerKind.AMQTT),
        (False, True, None, BrokerKind.AMQTT),
        (False, False, None, "No MQTT broker is installed: apt install mosquitto"),
        (False, True, BrokerKind.MOSQUITTO, "mosquitto is not installed: apt install mosquitto"),
        (True, False, BrokerKind.AMQTT, "amqtt is not installed: pip install"),
    ],
)
def test_mosquitto_is_taken_wherever_it_is(mosquitto, amqtt, wanted, found, monkeypatch):
    monkeypatch.setattr(broker_module, "_mosquitto", lambda: "/usr/sbin/mosquitto" if mosquitto else None)
    monkeypatch.setattr(broker_module, "_has_amqtt", lambda: amqtt)
    if isinstance(found, BrokerKind):
        assert choose(wanted) is found
    else:
        with pytest.raises(BrokerError, match=found):
            choose(wanted)


@pytest.fixture
def state(tmp_path, prepared):
    """A demo's folder in which the model is prepared already."""
    folder = tmp_path / "demo"
    shutil.copytree(prepared, folder / "state" / "prepared")
    yield folder
    assert processes_of(folder) == []


@pytest.mark.parametrize("kind", [AMQTT])
def test_the_demo_runs_with_amqtt_and_says_what_that_costs(kind, state):
    command = [*COMMAND, "--parts", "5", "--takt-ms", "100", "--broker", kind.value, "--state", str(state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert kind.cost in done.stdout
    assert "mosquitto_sub -V 311" in done.stdout
    assert "5 parts: " in done.stdout.splitlines()[-2]
    assert 'protocol = "3.1.1"' in (state / "appliance.toml").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_broker_that_dies_during_the_demo_ends_it_with_one_sentence(kind, state, tmp_path):
    command = [*COMMAND, "--takt-ms", "100", "--broker", kind.value, "--state", str(state)]
    with (tmp_path / "said").open("wb") as said, (tmp_path / "wrong").open("wb") as wrong:
        demo = subprocess.Popen(command, stdout=said, stderr=wrong)
    try:
        until(lambda: b"met" in (tmp_path / "said").read_bytes(), "a first part", 60)
        (broker,) = [pid for pid in processes_of(state / Broker(state, kind)._command()[-1]) if pid != demo.pid]
        os.kill(broker, signal.SIGKILL)
        assert demo.wait(60) == 1
    finally:
        demo.kill()
        demo.wait()
    (sentence,) = (tmp_path / "wrong").read_text().splitlines()
    assert sentence.startswith(f"appliance: The demo's broker {kind.value} ended by itself (code -9)")
