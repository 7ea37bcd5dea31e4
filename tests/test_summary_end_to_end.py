"""The summary as a subscriber of a real box finds it: its figures are those of the results that came."""

import json
import os
import signal
import threading
from collections import Counter
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from paho.mqtt.enums import CallbackAPIVersion
from running import BASE, until

from appliance.messages.summary import SCHEMA_PATH

SUMMARY = Draft202012Validator(json.loads(SCHEMA_PATH.read_text()), format_checker=FormatChecker())


class Summaries:
    """Every summary, in order."""

    def __init__(self, port):
        self.heard = []
        subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/summary", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda _client, _data, message: self.heard.append(json.loads(message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(10)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def summaries(broker):
    heard = Summaries(broker.port)
    yield heard
    heard.close()
    for one in heard.heard:
        SUMMARY.validate(one)


@pytest.mark.timeout(120)
def test_the_summary_says_what_the_results_said(appliance, subscriber, summaries):
    line = appliance(
        line='trigger = "part"',
        mqtt="summary_s = 1",
        extra='[parts.housing]\ncameras = ["top"]\nframes = 2\ninterval_ms = 60\ntrigger = "timer"\ntakt_ms = 200\n',
    ).start()
    until(lambda: len(subscriber.results) > 40, "results", 60)
    assert line.stop() == 0, line.log()

    last = until(lambda: summaries.heard and summaries.heard[-1], "a summary")
    for name, said in {**last["cameras"], **last["groups"]}.items():
        results = [one for one in subscriber.results if one["camera"] == name]
        results = list({one["result_id"]: one for one in results}.values())
        total = said["total"]
        assert total["parts"] == len(results) > 10
        assert total["passed"] == sum(one["verdict"] == "pass" for one in results)
        found = Counter(one["evaluation"] for one in results)
        assert {one: count for one, count in total["evaluations"].items() if count} == found
        assert total["reasons"] == Counter(one["reason"] for one in results if one["reason"])
        assert (said["stream"], said["sequence"]) == (results[-1]["stream"], results[-1]["sequence"])
        assert total["rates"]["first_pass_yield"]["value"] == pytest.approx(found["OK"] / len(results), abs=1e-6)
        times = [one["processing_times"]["total_ms"] for one in results]
        assert total["latency"]["total"]["max_ms"] == pytest.approx(max(times), abs=0.002)
        assert total["latency"]["total"]["p50_ms"] == pytest.approx(sorted(times)[(len(times) - 1) // 2], rel=0.101)
        assert total["latency"]["recorded"]["count"] == len(results)
        # What the intervals say adds up to the same: none was passed over.
        assert sum(_of(one, name)["interval"]["parts"] for one in summaries.heard if _of(one, name)) == len(results)

    top = [one for one in subscriber.results if one["camera"] == "top" and one["classes"]]
    for score in last["cameras"]["top"]["total"]["scores"]:
        scores = [found["score"] for one in top for found in one["classes"] if found["label"] == score["label"]]
        assert score["count"] == len(scores)
        assert score["mean"] == pytest.approx(sum(scores) / len(scores), abs=1e-5)
        assert (score["min"], score["max"]) == pytest.approx((min(scores), max(scores)), abs=1e-5)
    assert len(summaries.heard) >= 3
    assert {one["since"] for one in summaries.heard} == {last["since"]}
    assert [one["interval"]["begin"] for one in summaries.heard[1:]] == [
        one["interval"]["end"] for one in summaries.heard[:-1]
    ]
    assert last["broker"]["connected"]
    assert last["outbox"]["recorded_total"] == len({(one["stream"], one["sequence"]) for one in subscriber.results})


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_totals_outlive_the_gateway_and_begin_again_with_the_line(appliance, subscriber, summaries):
    line = appliance(mqtt="summary_s = 1").start()
    first = until(lambda: summaries.heard and summaries.heard[-1]["cameras"], "a summary", 60) and summaries.heard[-1]
    until(lambda: summaries.heard[-1]["cameras"]["top"]["total"]["parts"] > 10, "parts", 60)
    _kill_gateway(line)
    again = until(lambda: _last(summaries, lambda one: one["broker"]["since"] > first["broker"]["since"]), "a gateway")
    assert again["since"] == first["since"], "the line went on"
    assert again["cameras"]["top"]["total"]["parts"] > 10
    until(lambda: summaries.heard[-1] is not again, "another one")
    assert line.stop() == 0, line.log()
    results = len({one["sequence"] for one in subscriber.results})
    assert summaries.heard[-1]["cameras"]["top"]["total"]["parts"] == results

    line.start()
    anew = until(lambda: _last(summaries, lambda one: one["since"] > first["since"]), "the new line's summary", 60)
    assert anew["cameras"]["top"]["total"]["parts"] < results
    until(lambda: summaries.heard[-1]["cameras"]["top"]["total"]["parts"] > 5, "its parts", 60)
    assert line.stop() == 0, line.log()
    total = summaries.heard[-1]["cameras"]["top"]
    assert results + total["total"]["parts"] == total["sequence"], "the stream goes on where totals began again"


def _kill_gateway(line):
    (gateway,) = (
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and _is_gateway(folder, str(line.config_file))
    )
    os.kill(gateway, signal.SIGKILL)


def _is_gateway(folder, config_file):
    try:
        command = (folder / "cmdline").read_bytes().decode().split("\0")
    except OSError:
        return False
    return "appliance.gateway" in command and config_file in command


def _last(summaries, wanted):
    return next((one for one in reversed(summaries.heard) if wanted(one)), None)


def _of(summary, name):
    return summary["cameras"].get(name) or summary["groups"].get(name)
