"""The gateway's process as the line starts it: REST, MQTT, metrics and health of deliveries in one."""

import json
import signal
import subprocess
import sys
import urllib.request
from contextlib import closing

import pytest
from outbox.brokers import BASE, Broker, Listener
from running import DEMO_MODEL, free_port, until
from steering.boxes import Handler, deployment
from steering.test_mqtt import Operator

from appliance.config import load_config
from appliance.link import Link
from appliance.registry.deployments.states import State
from appliance.steering.requests import Verb
from appliance.steering.server import ControlServer

TOKEN = "3f8a2b61c7d94e05"


@pytest.fixture
def gateway(tmp_path):
    broker = Broker(tmp_path / "broker").start()
    port = free_port()
    (tmp_path / "key.pem").write_text("read by others")
    (tmp_path / "tokens").write_text(f"anna {TOKEN}\n")
    (tmp_path / "tokens").chmod(0o600)
    config = tmp_path / "appliance.toml"
    config.write_text(
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
[models.surface.delivery]
source = "file:///nowhere"
trusted_keys = ["key.pem"]
[mqtt]
host = "127.0.0.1"
port = {broker.port}
base_topic = "{BASE}"
desired = true
commands = ["look"]
[http]
port = {port}
tokens_file = "tokens"
"""
    )
    load_config(config)
    (tmp_path / "state/outbox").mkdir(parents=True)
    (tmp_path / "state/models").mkdir()
    link, theirs = Link.pair()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance.gateway", "--config", str(config), "--link", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=log,
            stderr=log,
        )
    theirs.close()
    yield broker, port, tmp_path, link, process
    link.close()
    try:
        process.wait(15)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        Broker.stop_all()


def ask(port, path, method="GET", **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError:
        return 0, b""


def test_a_gateway_shows_steers_and_tells(gateway):
    broker, port, folder, link, process = gateway
    handler = Handler(deployment(1, state=State.ROLLBACK_FAILED, detail="It could not be taken back."))
    server = ControlServer(folder / "state/models/control.sock", handler)
    handler.tell = server.tell
    with closing(Operator(broker)) as operator, closing(Listener(broker)) as listener:
        operator.says("desired", {"tag": "stable", "request_id": "r-1"}, retain=True, correlation=b"1")
        until(lambda: ask(port, "/deployments")[0] == 503, "the page, without a delivery process", 30)
        server.start()
        server.tell(handler.document())
        assert operator.answer(b"1")["status"] == 202
        listener.wait(lambda it: it.on("deployment") and it.on("deployment/events"), "both messages")
        assert listener.on("deployment/events")[-1].json["request_id"] == "r-1"
        until(lambda: ask(port, "/deployments")[0] == 200, "the document", 10)
        headers = {"Content-Type": "application/json"}
        assert ask(port, "/models/surface/pause", "POST", **headers)[0] == 200
        assert ask(port, "/models/surface/pause", "POST", Authorization=f"Bearer {TOKEN}", **headers)[0] == 200
        assert ask(port, "/models/surface/pause", "POST", Authorization="Bearer x", **headers)[0] == 401
        assert [one.who for one in handler.asked if one.verb is Verb.PAUSE][-1] == "anna"
        until(
            lambda: b'appliance_deployment_flag{flag="paused",model="surface"} 1.0' in ask(port, "/metrics")[1], "1", 10
        )
        assert b"Deliveries of surface" in ask(port, "/")[1]
        server.stop()
        until(lambda: ask(port, "/deployments")[0] == 503, "the loss", 10)
        assert process.poll() is None
        link.send("drain", {"row": 0, "timeout_s": 1.0})
        assert process.wait(15) == 0
    assert "Traceback" not in (folder / "log").read_text()


def test_what_went_wrong_with_a_model_is_in_the_device_health(gateway):
    _, port, folder, _, _ = gateway
    handler = Handler(deployment(1, state=State.ROLLBACK_FAILED, detail="It could not be taken back."))
    handler.flags["surface"] |= {"revoked": True, "stale": True}
    server = ControlServer(folder / "state/models/control.sock", handler)
    server.start()
    server.tell(handler.document())
    try:

        def codes():
            body = ask(port, "/healthz")[1]
            return {reason["code"] for reason in json.loads(body)["reasons"]} if body else set()

        until(lambda: {"MODEL_REVOKED", "ROLLBACK_FAILED", "DELIVERY_STALE"} <= codes(), "the reasons", 30)
        handler.flags["surface"] |= {"revoked": False, "stale": False}
        handler.ways.clear()
        server.tell(handler.document())
        until(lambda: not {"MODEL_REVOKED", "ROLLBACK_FAILED", "DELIVERY_STALE"} & codes(), "none of them", 10)
    finally:
        server.stop()
