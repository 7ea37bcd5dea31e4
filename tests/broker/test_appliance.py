"""The appliance at the delivered broker: with its certificate, on the durable way, as deploy/broker/README.md has it."""

import json
import subprocess
import sys
from contextlib import closing

import pytest
from broker.plant import Plant
from running import BASE


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


def test_its_results_arrive_with_its_own_certificate(plant, appliance):
    with closing(plant.client("mes")) as mes:
        mes.subscribe(f"{BASE}/#")
        line = appliance(broker_port=plant.port, mqtt=tls(plant, "box1")).start("--parts", "3")
        assert line.wait(90) == 0, line.log()
        for topic in ("availability", "health", "top/status", "top/last"):
            mes.hears(f"{BASE}/{topic}")
        heard = [json.loads(one.payload) for one in mes.heard if one.topic == f"{BASE}/top/result"]
    assert [result["sequence"] for result in heard] == [1, 2, 3]


def test_with_the_certificate_of_another_station_nothing_is_delivered_and_the_check_says_so(plant, appliance):
    line = appliance(broker_port=plant.port, mqtt=tls(plant, "elsewhere"))
    with closing(plant.client("mes")) as mes:
        mes.subscribe(f"{BASE}/#")
        command = [sys.executable, "-m", "appliance.cli", "check", "--config", line.config_file]
        said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert mes.heard == []
    print(said.stdout)
