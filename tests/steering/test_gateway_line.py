"""Triggers and changeovers over a real Mosquitto, through the gateway's process, to the line's socket; no model is
delivered to this box."""

import json
import signal
import subprocess
import sys
from contextlib import closing

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from outbox.brokers import BASE, Broker, Listener
from running import DEMO_MODEL, free_port, until
from steering.floors import Floor, status_of
from steering.test_mqtt import Operator

from appliance.config import load_config
from appliance.link import Link
from appliance.steering.requests import RECIPE_SCHEMA_PATH

MESSAGE = {**json.loads(RECIPE_SCHEMA_PATH.read_text()), "type": "object", "required": [], "$ref": "#/$defs/message"}


class Gateway:
    """The process as the line starts it."""

    def __init__(self, folder, commands):
        self.broker = Broker(folder / "broker").start()
        config = folder / "appliance.toml"
        config.write_text(
            f"""
[station]
name = "line3-box1"
state_folder = "state"
[cameras.top]
recipe = "housing-a"
trigger = "command"
camera = {{ driver = "virtual" }}
[recipes.housing-a]
model = "surface"
deadline_ms = 100
[models.surface]
base_path = "{DEMO_MODEL}"
[mqtt]
host = "127.0.0.1"
port = {self.broker.port}
base_topic = "{BASE}"
commands = {json.dumps(commands)}
[http]
port = {free_port()}
"""
        )
        load_config(config)
        (folder / "state/outbox").mkdir(parents=True)
        self.floor = Floor(folder / "state")
        self.log = folder / "log"
        self.link, theirs = Link.pair()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "appliance.gateway", "--config", str(config), "--link", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdout=log,
                stderr=log,
            )
        theirs.close()

    def close(self):
        self.link.close()
        try:
            self.process.wait(15)
        finally:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait(10)
            self.floor.close()
            Broker.stop_all()
        assert "Traceback" not in self.log.read_text()


@pytest.fixture
def gateway(tmp_path):
    with closing(Gateway(tmp_path, ["recipe", "trigger"])) as one:
        yield one


def test_a_part_is_triggered_and_the_recipe_changed_by_messages(gateway):
    floor = gateway.floor
    with closing(Operator(gateway.broker)) as operator, closing(Listener(gateway.broker)) as listener:

        def away():
            operator.says("cmd/trigger", {"camera": "top"}, correlation=b"away")
            return operator.answers

        until(away, "the gateway's subscription", 60)
        assert json.loads(operator.answers[0].payload)["status"] == 503, "the line is not there yet"
        floor.start_line()
        operator.says(
            "cmd/trigger", {"camera": "top", "part_id": "SN 4711", "request_id": "r-1"}, correlation=b"1", user="mes"
        )
        answer = operator.answer(b"1")
        assert (answer["status"], answer["verb"], answer["request_id"]) == (202, "trigger", "r-1")
        assert (answer["camera"], answer["part_id"]) == ("top", "SN 4711")
        assert floor.lines.triggered[-1] == ("top", "SN 4711")
        operator.says("cmd/trigger", {"camera": "top", "part_id": "SN 4711", "request_id": "r-1"}, correlation=b"2")
        assert operator.answer(b"2")["trigger_id"] == answer["trigger_id"], "a message that came twice is one part"
        before = len(floor.lines.triggered)
        for number, (topic, body, retain, status, says) in enumerate(
            (
                ("cmd/trigger", {"camera": "tpo"}, False, 404, "did you mean 'top'?"),
                ("cmd/trigger", {"camera": "top"}, True, 422, "is retained"),
                ("cmd/trigger", b"top", False, 422, "no JSON"),
                ("cmd/recipe", {"recipe": "broken"}, False, 409, "no version of its model serves"),
                ("cmd/pause", {"model": "surface"}, False, 422, "mqtt.commands allows recipe, trigger"),
            )
        ):
            operator.says(topic, body, retain=retain, correlation=b"no-%d" % number)
            refused = operator.answer(b"no-%d" % number)
            assert (refused["status"], says in refused["error"]) == (status, True), refused
        assert len(floor.lines.triggered) == before
        operator.says("cmd/recipe", {"recipe": "housing-b", "camera": "top", "job_id": "order 7"}, correlation=b"3")
        answer = operator.answer(b"3")
        assert (answer["status"], answer["recipe"], answer["camera"]) == (200, "housing-b", "top")
        assert answer["job_id"] == "order 7"
        gateway.link.send_raw(b"status\n" + status_of(floor.lines).to_json())
        for topic in ("top/recipe", "side/recipe"):
            listener.wait(lambda it, topic=topic: it.on(topic), topic)
        told = listener.on("top/recipe")[-1].json
        Draft202012Validator(MESSAGE, format_checker=FormatChecker()).validate(told)
        assert (told["recipe_id"], told["job_id"], told["refused"]) == ("housing-b", "order 7", None)
        assert "no version of its model serves" in listener.on("side/recipe")[-1].json["refused"]
