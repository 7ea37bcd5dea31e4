"""The main story: a data scientist pushes from a laptop, the box proves the model and changes over in flight; a model
that disappoints is gone before anyone calls. Real registry, real commands, real appliance, real broker."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from laptop import Laptop, settings
from registry_server import Registry
from running import Appliance, until

TAKT_MS = 33


@pytest.fixture
def laptop(tmp_path):
    with Registry(tmp_path / "registry") as registry:
        yield Laptop(tmp_path / "laptop", registry)


@pytest.fixture
def box(tmp_path, broker, laptop, prepared):
    (tmp_path / "box").mkdir()
    box = Appliance(tmp_path / "box", broker.port, line=f"takt_ms = {TAKT_MS}", recipe="deadline_ms = 250",
                    extra=settings(laptop))  # fmt: skip
    shutil.copytree(prepared, tmp_path / "box" / "state" / "prepared")
    yield box.start()
    box.end()


def ended(subscriber, release: int, timeout_s: float = 250) -> dict:
    """The deployment of that release, when it is over."""

    def found():
        told = json.loads(subscriber.latest.get("deployment", b"{}"))
        over = {"success", "rejected", "failed", "rolled_back", "rollback_failed"}
        return told if told.get("release") == release and told.get("state") in over else None

    return until(found, f"release {release} to be served or gone", timeout_s)


@pytest.mark.timeout(600)
def test_a_model_is_pushed_proven_and_served_and_one_that_disappoints_is_gone_by_itself(box, subscriber, laptop):
    until(lambda: len(subscriber.results) > 30, "the line to judge parts with the factory's model")

    laptop.deploy(laptop.trained(2), 2)
    good = ended(subscriber, 1)
    assert good["state"] == "success", good["detail"]
    serving = json.loads(subscriber.latest["deployment"])["active_release"]
    assert serving == 1

    laptop.deploy(laptop.trained(3, good_min=0.92), 3)
    bad = ended(subscriber, 2)
    assert (bad["state"], bad["reason"]) == ("rolled_back", "fail_rise"), bad["detail"]
    assert "%" in bad["detail"], "a person can read why"
    parts = len(subscriber.results)
    until(lambda: len(subscriber.results) > parts + 60, "the line to go on")
    assert box.stop() == 0

    results = subscriber.results
    assert subscriber.gaps == []
    assert [one["sequence"] for one in results] == list(range(1, len(results) + 1)) or [
        one["sequence"] for one in results
    ] == list(range(len(results)))
    served = [one["model"]["version"] for one in results if one["model"]]
    assert list(dict.fromkeys(served)) == [1, 2, 3]
    assert served[-1] == 2
    late = [one["sequence"] for one in results if not one["deadline_met"]]
    assert late == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_delivery_process_is_killed_and_the_line_does_not_notice(box, subscriber, laptop):
    until(lambda: len(subscriber.results) > 30, "the line to judge parts with the factory's model")
    laptop.deploy(laptop.trained(2), 2)
    until(lambda: json.loads(subscriber.latest.get("deployment", b"{}")).get("state") == "shadowing", "the shadow", 120)
    killed = children(box.process.pid, "appliance.delivery")
    assert len(killed) == 1
    os.kill(killed[0], signal.SIGKILL)
    good = ended(subscriber, 1)
    assert good["state"] == "success", good["detail"]
    assert children(box.process.pid, "appliance.delivery") != killed
    assert box.stop() == 0
    assert subscriber.gaps == []
    assert [one["sequence"] for one in subscriber.results if not one["deadline_met"]] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_canary_a_persons_approval_and_a_persons_rollback(tmp_path, broker, subscriber, laptop, prepared):
    """The long way: both models judge for a while, a person says yes, and later takes it back."""
    (tmp_path / "box").mkdir()
    shutil.copytree(prepared, tmp_path / "box" / "state" / "prepared")
    extra = settings(laptop, canary_parts=90, approve=True)
    box = Appliance(
        tmp_path / "box", broker.port, line=f"takt_ms = {TAKT_MS}", recipe="deadline_ms = 250", extra=extra
    ).start()
    steer = ("--box", f"http://127.0.0.1:{box.http_port}")
    try:
        until(lambda: len(subscriber.results) > 30, "the line to judge parts with the factory's model")
        laptop.deploy(laptop.trained(2), 2)
        told = lambda: json.loads(subscriber.latest.get("deployment", b"{}"))  # noqa: E731
        until(lambda: told().get("waiting_for") == "approval", "it to wait for a person", 200)
        assert {one["model"]["version"] for one in subscriber.results if one["model"]} == {1}
        assert box.get("/deployments")[1]["deployments"][0]["reports"]["canary"]["parts"] >= 90
        laptop.command("deployments", "approve", "surface", *steer)
        assert ended(subscriber, 1)["state"] == "success"
        until(lambda: subscriber.results[-1]["model"]["version"] == 2, "version 2 to judge")
        laptop.command("deployments", "rollback", "surface", *steer)
        until(lambda: subscriber.results[-1]["model"]["version"] == 1, "version 1 to judge again")
        said = laptop.command("deployments", "audit", *steer)
        assert "rollback" in said
        assert "approve" in said
        assert box.stop() == 0
    finally:
        box.end()
    assert subscriber.gaps == []
    assert [one["sequence"] for one in subscriber.results if not one["deadline_met"]] == []


def children(pid: int, module: str) -> list[int]:
    """The processes that the line has started to run `module`."""
    lines = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
    started = [int(child) for line in lines for child in line.read_text().split()]
    wanted = f"-m\0{module}\0".encode()
    return [child for child in started if wanted in Path(f"/proc/{child}/cmdline").read_bytes()]
