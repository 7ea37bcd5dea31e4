"""Commands to the real appliance: parts triggered by REST, MQTT and the socket; recipes changed between two parts."""

import os
import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest
from outbox.brokers import Broker
from running import BASE, VALIDATOR, Appliance, Subscriber, until
from steering.test_mqtt import Operator

from appliance.steering.client import ControlClient
from appliance.steering.requests import Request, Verb
from appliance.steering.sides import LINE

RECIPES = """
[recipes.strict]
model = "surface"
deadline_ms = 1900
limits = { good_min = 0.999 }
[recipes.unfit]
model = "surface"
deadline_ms = 100
labels = ["one"]
"""


class Station:
    """The appliance, its broker, and whoever commands it."""

    def __init__(self, folder):
        self.broker = Broker(folder / "broker").start()
        self.appliance = Appliance(
            folder,
            self.broker.port,
            line='trigger = "command"',
            recipe="deadline_ms = 2000",
            mqtt='commands = ["trigger", "recipe"]',
            extra=RECIPES,
        )
        self.subscriber = Subscriber(self.broker.port)
        self.operator = Operator(self.broker, base=BASE)
        self.line = ControlClient(folder / "state/line.sock", LINE)

    def start(self):
        self.appliance.start()
        until(lambda: self.appliance.get("/readyz")[0] == 200, "the line to take parts", 90)
        return self

    def ask(self, verb, **body):
        return self.line.ask(Request(verb, body=body), 20)

    def results(self, *part_ids):
        until(lambda: {one["part_id"] for one in self.subscriber.results} >= set(part_ids), f"{part_ids}", 20)
        return [next(one for one in self.subscriber.results if one["part_id"] == name) for name in part_ids]

    def close(self):
        self.operator.close()
        self.subscriber.close()
        self.appliance.end()
        Broker.stop_all()


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with closing(Station(tmp_path_factory.mktemp("station"))) as one:
        yield one.start()


def test_each_way_in_triggers_one_part_and_its_result_names_it(station):
    told = station.ask(Verb.TRIGGER, camera="top", part_id="by socket", wait_s=10).body["result"]
    station.operator.says("cmd/trigger", {"camera": "top", "part_id": "by mqtt"}, correlation=b"1")
    accepted = station.operator.answer(b"1")
    assert accepted["status"] == 202
    by_socket, by_mqtt = station.results("by socket", "by mqtt")
    VALIDATOR.validate(by_socket)
    assert {name: by_socket[name] for name in told} == told, "who waited was told what everybody is told"
    assert by_mqtt["trigger_id"] == accepted["trigger_id"] == by_socket["trigger_id"] + 1
    assert by_mqtt["sequence"] == by_socket["sequence"] + 1
    assert by_mqtt["model"] is not None


def test_a_changeover_falls_between_two_parts(station):
    station.ask(Verb.RECIPE, recipe="part")
    answers, stop = [], threading.Event()

    def trigger_on():
        while not stop.is_set():
            answers.append(station.ask(Verb.TRIGGER, camera="top", part_id=f"p{len(answers)}", wait_s=10))

    triggering = threading.Thread(target=trigger_on)
    triggering.start()
    try:
        until(lambda: len(answers) > 5, "parts of the recipe before", 20)
        changed = station.ask(Verb.RECIPE, recipe="strict", job_id="order 7")
        count = len(answers)
        until(lambda: len(answers) > count + 5, "parts of the next", 20)
    finally:
        stop.set()
        triggering.join(20)
    assert changed.status == 200
    results = [one.body["result"] for one in answers]
    used = [one["recipe_id"] for one in results]
    first = used.index("strict")
    assert set(used[:first]) == {"part"}
    assert set(used[first:]) == {"strict"}
    assert {one["job_id"] for one in results[first:]} == {"order 7"}
    assert {one["deadline_ms"] for one in results[first:]} == {1900}
    assert len({one["config_id"] for one in results}) == 2
    assert {one["evaluation"] for one in results[first:]} != {"OK"}, "the stricter limit holds"
    assert not [one for one in results if one["evaluation"] == "Undefined"]
    until(lambda: b'"strict"' in station.subscriber.latest.get("top/recipe", b""), "the word of it", 10)


def test_a_recipe_that_does_not_fit_is_refused_and_the_one_before_stays(station):
    station.ask(Verb.RECIPE, recipe="part", job_id="order 8")
    station.operator.says("cmd/recipe", {"recipe": "unfit"}, correlation=b"2")
    refused = station.operator.answer(b"2")
    assert (refused["status"], "unfit" in refused["error"]) == (409, True)
    result = station.ask(Verb.TRIGGER, camera="top", wait_s=10).body["result"]
    assert (result["recipe_id"], result["job_id"]) == ("part", "order 8")

    def shown():
        status, body = station.appliance.get("/recipes")
        return status == 200 and body["recipes"][0]["refused"]

    assert "unfit" in until(shown, "the refusal", 10)
    assert "The last changeover was refused" in station.appliance.get("/")[1]
    assert "SOURCE=mqtt cmd/recipe" in station.appliance.log()


def test_a_recipe_and_a_camera_that_are_not_there_name_the_nearest(station):
    assert "did you mean 'strict'?" in station.ask(Verb.RECIPE, recipe="strikt").body["error"]
    answer = station.ask(Verb.TRIGGER, camera="tob")
    assert (answer.status, "did you mean 'top'?" in answer.body["error"]) == (404, True)


def test_the_line_takes_commands_while_the_gateway_is_away(station):
    [gateway] = [int(pid) for pid in children(station.appliance.process.pid) if b"appliance.gateway" in command_of(pid)]
    os.kill(gateway, signal.SIGSTOP)
    try:
        assert station.ask(Verb.TRIGGER, camera="top", part_id="alone", wait_s=10).status == 200
    finally:
        os.kill(gateway, signal.SIGCONT)
    assert station.results("alone")[0]["part_id"] == "alone"


@pytest.mark.slow
def test_the_recipe_in_force_outlives_a_restart(tmp_path):
    with closing(Station(tmp_path)) as one:
        one.start()
        assert one.ask(Verb.RECIPE, recipe="strict", job_id="order 9").status == 200
        assert one.appliance.stop() == 0
        one.start()
        [status] = one.ask(Verb.RECIPES).body["recipes"]
        assert (status["recipe"], status["job_id"]) == ("strict", "order 9")
        assert not (tmp_path / "state" / "line.sock").with_suffix(".new").exists()


def children(pid):
    """Of its main thread and all others."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [one for file in files for one in file.read_text().split()]


def command_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()
