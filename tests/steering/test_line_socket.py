"""The line's own socket: what it is asked, a flood, two who come with one key, and its end."""

import contextlib
import threading
import time

import pytest
from running import until
from steering.floors import Floor

from appliance import line_commands
from appliance.steering.client import ControlClient
from appliance.steering.requests import Request, Verb
from appliance.steering.server import ControlServer


@pytest.fixture
def floor(tmp_path):
    with contextlib.closing(Floor(tmp_path).start_line()) as one:
        yield one


def trigger(camera="top", key=None, **body):
    return Request(Verb.TRIGGER, body={"camera": camera, **body}, key=key)


def test_it_is_asked_for_nothing_that_is_the_delivery_process(floor):
    answer = floor.client.ask(Request(Verb.LOOK), 5)
    assert (answer.status, answer.body["error"]) == (
        422,
        "The line is not asked for look; it answers recipe, recipes, trigger.",
    )


def test_the_delivery_process_is_not_asked_for_a_trigger(tmp_path):
    server = ControlServer(tmp_path / "control.sock", lambda _: pytest.fail("it was asked"))
    server.start()
    answer = ControlClient(tmp_path / "control.sock").ask(trigger(), 5)
    server.stop()
    assert (answer.status, "The delivery process is not asked for trigger" in answer.body["error"]) == (422, True)


def test_two_who_come_with_one_key_at_once_trigger_one_part(floor):
    answers = []
    asking = [
        threading.Thread(target=lambda: answers.append(floor.client.ask(trigger(key="k", wait_s=5), 10)))
        for _ in range(4)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(15)
    assert [one.body["result"]["trigger_id"] for one in answers] == [0, 0, 0, 0]
    assert len({one.body["result"]["result_id"] for one in answers}) == 1, "it is one result, whoever is told"
    assert len(floor.lines.triggered) == 1


def test_a_trigger_that_was_refused_may_come_again_with_its_key(floor):
    assert floor.client.ask(trigger("side", key="k"), 5).status == 409
    floor.lines.trigger, kept = (lambda *_, **__: 7), floor.lines.trigger
    assert floor.client.ask(trigger("side", key="k"), 5).body["trigger_id"] == 7
    floor.lines.trigger = kept


def test_a_flood_waits_outside_and_each_of_it_is_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(line_commands, "PER_S", 50.0)
    monkeypatch.setattr(line_commands, "AT_ONCE", 5)
    with contextlib.closing(Floor(tmp_path).start_line()) as floor:
        begun_s = time.monotonic()
        answers = []

        def flood():
            for _ in range(6):
                answers.append(floor.client.ask(trigger(), 20).status)  # noqa: PERF401 - each in its turn

        flooding = [threading.Thread(target=flood) for _ in range(5)]
        for thread in flooding:
            thread.start()
        for thread in flooding:
            thread.join(30)
        assert answers == [202] * 30
        assert time.monotonic() - begun_s > (30 - 5 - 1) / 50.0


def test_nobody_hears_of_a_result_before_it_is_on_the_disk(floor):
    floor.lines.records = False
    answer = floor.client.ask(trigger(wait_s=0.2), 5)
    assert (answer.status, "it did not come within 0.2 s" in answer.body["error"]) == (504, True)
    assert "result" not in answer.body
    floor.lines.records_first = True
    assert floor.client.ask(trigger(wait_s=10), 20).status == 200


def test_a_stop_lets_nobody_wait(floor):
    floor.lines.judges = False
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(floor.client.ask(trigger(wait_s=10), 20)))
    waiting.start()
    until(lambda: floor.lines.triggered, "the part", 10)
    floor.commands.stop()
    waiting.join(5)
    assert (answers[0].status, "the line is being stopped" in answers[0].body["error"]) == (504, True)
    assert floor.client.ask(trigger(wait_s=10), 20).status == 504


def test_more_than_a_few_may_not_wait_at_once(floor):
    floor.lines.judges = False
    waiting = [
        threading.Thread(target=floor.client.ask, args=(trigger(wait_s=10), 20))
        for _ in range(line_commands.WAITERS_MAX)
    ]
    for thread in waiting:
        thread.start()
    until(lambda: len(floor.lines.triggered) == line_commands.WAITERS_MAX, "all of them", 10)
    refused = floor.client.ask(trigger(wait_s=10), 20)
    assert (refused.status, "nothing was triggered" in refused.body["error"]) == (503, True)
    assert floor.client.ask(trigger(), 20).status == 202
    floor.commands.stop()
    for thread in waiting:
        thread.join(5)


def test_a_fault_in_the_line_is_an_answer_and_the_next_part_is_triggered(floor, caplog):
    def fail(*_, **__):
        raise KeyError("x")

    floor.lines.trigger, kept = fail, floor.lines.trigger
    answer = floor.client.ask(trigger(key="k"), 5)
    assert (answer.status, "fault of the software" in answer.body["error"]) == (500, True)
    floor.lines.trigger = kept
    assert floor.client.ask(trigger(key="k"), 5).status == 202
    assert "KeyError" in caplog.text


def test_a_socket_of_others_is_a_sentence(floor, monkeypatch):
    def denied(*_):
        raise PermissionError

    monkeypatch.setattr("appliance.steering.wire.connect", denied)
    assert "is for the appliance's user and group only" in floor.client.ask(trigger(), 5).body["error"]
