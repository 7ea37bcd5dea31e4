"""The appliance at the delivered broker, with its certificate, as deploy/broker/README.md has it."""

import json
import subprocess
import sys
from contextlib import closing

import pytest
from broker.plant import Plant
from running import BASE, until


@pytest.fixture
def plant(tmp_path):
    one = Plant(tmp_path / "plant")
    one.account("station", "box1", BASE)
    one.account("station", "elsewhere", "acme/north/assembly/line3/elsewhere")
    one.account("consumer", "mes")
    one.start()
    yield one
    one.stop()


def tls(plant, name):
    ca, certificate, key = plant.files(name)
    return f'tls = {{ ca_file = "{ca}", certificate_file = "{certificate}", key_file = "{key}" }}'


@pytest.mark.slow
def test_its_results_arrive_with_its_own_certificate(plant, appliance):
    with closing(plant.client("mes")) as mes:
        mes.subscribe(f"{BASE}/#")
        line = appliance(broker_port=plant.port, mqtt=tls(plant, "box1")).start("--parts", "3")
        assert line.wait(90) == 0, line.log()
        for topic in ("availability", "health", "top/status", "top/last"):
            mes.hears(f"{BASE}/{topic}")
        heard = [json.loads(one.payload) for one in mes.heard if one.topic == f"{BASE}/top/result"]
    assert [result["sequence"] for result in heard] == [1, 2, 3]


@pytest.mark.slow
def test_with_the_certificate_of_another_station_it_says_that_the_broker_refuses_and_keeps_its_results(
    plant, appliance
):
    line = appliance(broker_port=plant.port, mqtt=tls(plant, "elsewhere"))
    command = [sys.executable, "-m", "appliance.cli", "check", "--config", str(line.config_file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert f"refuses what it publishes (Not authorized): its access list must allow writing below {BASE}/#" in (
        checked.stdout
    )
    line.start()

    def codes():
        _, body = line.get("/healthz")
        return {reason["code"] for reason in body.get("reasons", [])} if isinstance(body, dict) else set()

    with closing(plant.client("mes")) as mes:
        mes.subscribe(f"{BASE}/#")
        until(lambda: "BROKER_REFUSES" in codes(), "the refusal to be told", 60)
        assert [one.topic for one in mes.heard if one.payload] == []
