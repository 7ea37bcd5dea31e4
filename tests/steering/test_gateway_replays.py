"""Results again, through the gateway's process as the line starts it: over REST, and by its socket."""

import json
import signal
import subprocess
import sys
import urllib.request
from contextlib import closing

import pytest
from outbox.brokers import BASE, Broker
from outbox.messages import Record, append
from outbox.plants import Mes
from running import DEMO_MODEL, free_port, until

from appliance.config import load_config
from appliance.link import Link
from appliance.outbox.store import Outbox
from appliance.steering.client import ControlClient
from appliance.steering.requests import Request, Verb
from appliance.steering.sides import GATEWAY


@pytest.fixture
def gateway(tmp_path):
    broker = Broker(tmp_path / "broker").start()
    port = free_port()
    path = tmp_path / "appliance.toml"
    path.write_text(
        f"""
[station]
name = "line3-box1"
state_folder = "state"
[cameras.top]
recipe = "housing"
takt_ms = 100
camera = {{ driver = "virtual" }}
[recipes.housing]
model = "surface"
deadline_ms = 100
[models.surface]
base_path = "{DEMO_MODEL}"
[mqtt]
host = "127.0.0.1"
port = {broker.port}
base_topic = "{BASE}"
commands = ["replay"]
consumers = ["mes"]
consumer_late_s = 0.5
[http]
port = {port}
"""
    )
    config = load_config(path)
    config.outbox_folder.mkdir(parents=True)
    link, theirs = Link.pair()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance.gateway", "--config", str(path), "--link", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=log,
            stderr=log,
        )
    theirs.close()
    yield broker, port, config
    link.close()
    try:
        process.wait(15)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        Broker.stop_all()
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.fixture
def rows(gateway):
    """Ten results on the disk."""
    _, _, config = gateway
    record = Record(config.outbox_folder)
    outbox = Outbox(config.outbox_folder, max_bytes=64 * 1024**2, on_recorded=record)
    outbox.record = record
    outbox.start()
    append(outbox, 10, replayed=False)
    yield record
    outbox.close(1.0)
    record.close()


def ask(port, path, value=None):
    body = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=body,
        method="GET" if value is None else "POST",
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
    except OSError:
        return 0, {}


def test_a_gateway_sends_results_again_and_says_who_is_behind(gateway, rows):
    broker, port, config = gateway
    wanted = {"camera": "top", "from_sequence": 2, "to_sequence": 5}
    with closing(Mes(broker)) as mes:
        until(lambda: ask(port, "/replays")[0] == 200, "the page", 30)
        status, began = ask(port, "/replays", wanted)
        assert (status, began["rows"], began["topic"]) == (202, 4, f"{BASE}/top/replay")
        said, came = mes.wait_closing(f"{BASE}/top/replay")
        assert (said["id"], [json.loads(one.payload)["sequence"] for one in came]) == (began["id"], [2, 3, 4, 5])
        assert ask(port, "/replays", {"camera": "top", "from_sequence": 1})[0] == 422
        assert ask(port, "/replays", wanted | {"camera": "left"})[0] == 404

        again = ControlClient(config.gateway_socket, GATEWAY).ask(Request(Verb.REPLAY, None, wanted), 5.0)
        assert again.status == 202
        until(lambda: ask(port, "/replays")[1]["replays"][0]["state"] == "done", "the second", 10)
        listed = ask(port, "/replays")[1]["replays"]
        assert [one["id"] for one in listed] == [again.body["id"], began["id"]]

        def codes():
            return [one["code"] for one in ask(port, "/healthz")[1].get("reasons", [])]

        until(lambda: "CONSUMER_BEHIND" in codes(), "a reason", 20)
        stream = rows.recorded[0].stream
        mes.says("ack/mes/top", {"stream": stream, "sequence": 10})
        until(lambda: "CONSUMER_BEHIND" not in codes(), "its end", 20)
