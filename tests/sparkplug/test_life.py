"""The whole appliance with a Sparkplug view: each part is a DDATA, and a process that is killed an NDEATH."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest
from running import DEMO_MODEL, free_port, until
from sparkplug.google import parse
from sparkplug.plant import Parts, of, server, status_of, values
from sparkplug.wiretap import Ear

from appliance.link import Link

_SETTINGS = '[sparkplug]\ngroup_id = "acme"\n'


_CONFIG = """
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
base_path = "{model}"
[mqtt]
host = "127.0.0.1"
port = {port}
base_topic = "a/b"
[http]
port = {http_port}
[sparkplug]
group_id = "acme-linz"
"""


@pytest.fixture
def gateway(tmp_path):
    """The gateway's process as the line starts it: (link to it, process), the broker's ear, and its outbox."""
    config = tmp_path / "appliance.toml"
    with server(tmp_path / "broker") as (mosquitto, _, ear), closing(Parts(tmp_path / "state/outbox")) as parts:
        config.write_text(_CONFIG.format(model=DEMO_MODEL, port=mosquitto.port, http_port=free_port()))
        link, theirs = Link.pair()
        with (tmp_path / "log").open("wb") as log:
            command = [sys.executable, "-m", "appliance.gateway", "--config", config, "--link", str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=log, stderr=log)
        theirs.close()
        yield link, process, ear, parts
        link.close()
        if process.poll() is None:
            process.kill()
        process.wait(10)
        assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_gateway_tells_a_part_and_its_death_is_told_for_it(gateway):
    link, process, ear, parts = gateway
    status = json.loads(status_of({"top": "online"}).to_json())
    link.send("status", status)
    ear.wait(of("DBIRTH", "top"), timeout_s=30)
    assert values(ear.on("NBIRTH")[0].payload)["Line/TakesParts"] is True
    parts.pass_by("top")
    link.send("recorded", {"row": 1})
    (told,) = [one for one in ear.wait("/DDATA/") if "Inspection/ResultId" in values(one.payload)]
    assert values(told.payload)["Inspection/ResultId"] == "id-0"
    status["cameras"]["top"]["state"] = "offline"
    link.send("status", status)
    ear.wait(of("DDEATH", "top"))
    process.kill()
    (death,) = ear.wait("/NDEATH/")
    assert (values(death.payload), death.qos, death.retain) == ({"bdSeq": 0}, 1, False)


def test_the_gateway_says_good_bye_when_the_line_drains(gateway):
    link, process, ear, parts = gateway
    link.send("status", json.loads(status_of({"top": "online"}).to_json()))
    ear.wait(of("DBIRTH", "top"), timeout_s=30)
    parts.pass_by("top")
    link.send("drain", {"row": 1, "timeout_s": 5.0})
    assert process.wait(15) == 0
    assert "/DDATA/" in ear.heard[-2 if len(ear.on("/NDEATH/")) == 1 else -3].topic
    assert values(ear.wait("/NDEATH/")[0].payload) == {"bdSeq": 0}


def gateway_of(line):
    command = ["ps", "-o", "pid=,args=", "--ppid", str(line.process.pid)]
    rows = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return next((int(row.split()[0]) for row in rows if "appliance.gateway" in row), None)


@pytest.mark.slow
def test_parts_are_told_once_and_a_killed_gateway_is_dead_and_born_again(appliance, broker, subscriber):
    with closing(Ear(broker.port)) as ear:
        line = appliance(extra=_SETTINGS).start()
        ear.wait("DBIRTH/test-box/top", timeout_s=60)
        assert ear.heard[0].topic == "spBv1.0/acme/NBIRTH/test-box"
        ear.wait("DDATA/test-box/top", 15)
        until(lambda: values(ear.on("NBIRTH")[-1].payload).get("bdSeq") == 0, "the first session", 5)
        os.kill(gateway_of(line), signal.SIGKILL)
        (death,) = ear.wait("NDEATH")
        assert (values(death.payload), death.qos, death.retain) == ({"bdSeq": 0}, 1, False)
        births = ear.wait("NBIRTH", 2, timeout_s=60)
        assert values(births[1].payload)["bdSeq"] == 1
        assert line.stop() == 0, line.log()
        ear.wait("NDEATH", 2)
        told = [values(one.payload) for one in ear.on("DDATA") if "Inspection/ResultId" in values(one.payload)]
        ids = [one["Inspection/ResultId"] for one in told]
        assert len(set(ids)) == len(ids)
        results = {one["result_id"]: one for one in subscriber.results}
        assert set(ids) <= set(results)
        for one in told:
            result = results[one["Inspection/ResultId"]]
            assert one["Inspection/Verdict"] == result["verdict"]
            assert one["Inspection/Sequence"] == result["sequence"]
            assert one["Inspection/ModelVersion"] == (result["model"] or {}).get("version")
        # Within one session, none is left out.
        numbers = [one["Inspection/Sequence"] for one in told[:15]]
        assert numbers == list(range(numbers[0], numbers[0] + 15))
        assert not [one for one in ear.on("DDATA") if parse(one.payload).timestamp == 0]
    assert "Traceback" not in line.log()


@pytest.mark.slow
def test_a_server_that_is_away_is_in_health_and_costs_no_part(appliance, broker, subscriber):
    line = appliance(extra=f'{_SETTINGS}servers = ["127.0.0.1:{free_port()}"]\n').start()
    until(lambda: "SPARKPLUG_AWAY" in subscriber.codes(), "the trouble in health", 60)
    until(lambda: subscriber.health()["device_health"] == "MAINTENANCE_REQUIRED", "nothing worse", 60)
    until(lambda: len(subscriber.results) > 20, "results all the same")
    assert line.stop() == 0, line.log()
    numbers = [one["sequence"] for one in subscriber.results]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
