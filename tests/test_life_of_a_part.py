"""The whole line, as its users meet it: trigger, frame, verdict, message; and everything that goes wrong on the way.

Every test runs the real `appliance run`, a real Mosquitto and the real demo model.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from running import DEMO_MODEL, until

from appliance.inspection.result import Reason


def verdicts(results):
    return [(result["verdict"], result["evaluation"], result["reason"]) for result in results]


def sequences(results):
    return [result["sequence"] for result in results]


def child_of(line, module):
    """The process id of the line's child that runs this module; None while there is none."""
    command = ["ps", "-o", "pid=,args=", "--ppid", str(line.process.pid)]
    rows = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return next((int(row.split()[0]) for row in rows if module in row), None)


def test_each_trigger_gives_one_result_in_order_and_valid(appliance, subscriber):
    line = appliance().start("--parts", "60")
    assert line.wait() == 0, line.log()
    results = subscriber.results
    assert len(results) == 60
    assert len({result["result_id"] for result in results}) == 60
    assert len({result["stream"] for result in results}) == 1
    assert sequences(results) == list(range(sequences(results)[0], sequences(results)[0] + 60))
    assert [result["trigger_id"] for result in results] == list(range(60))
    judged = [result for result in results if result["evaluation"] != "Undefined"]
    assert len(judged) >= 55
    assert {result["verdict"] for result in judged} == {"pass", "fail"}
    assert all((result["verdict"] == "pass") == (result["evaluation"] == "OK") for result in results)
    assert all(result["is_simulated"] and result["model"]["version"] == 1 for result in judged)
    assert subscriber.latest["availability"] == b"offline"  # it said good-bye
    assert json.loads(subscriber.latest["top/last"])["sequence"] == results[-1]["sequence"]


def test_health_speaks_over_rest_and_mqtt_while_the_line_runs(appliance, subscriber):
    line = appliance().start()
    until(lambda: line.get("/readyz")[0] == 200, "the line to be ready")
    status, health = line.get("/healthz")
    assert (status, health["device_health"]) == (200, "NORMAL"), health
    assert line.get("/livez")[0] == 200
    until(lambda: subscriber.health().get("device_health") == "NORMAL", "NORMAL over MQTT")
    assert subscriber.latest["availability"] == b"online"
    _, model = line.get("/v1/models/surface")
    assert model["model_version_status"][0]["state"] == "AVAILABLE"
    until(lambda: len(subscriber.results) > 5, "results")
    _, metrics = line.get("/metrics")
    assert "parts_total" in metrics
    assert line.stop() == 0


def test_parts_fail_while_there_is_no_model_and_pass_when_one_comes(appliance, subscriber, tmp_path):
    base = tmp_path / "models"
    base.mkdir()
    line = appliance(base_path=base).start()
    until(lambda: len(subscriber.results) > 3, "results without a model")
    assert set(verdicts(subscriber.results)) == {("fail", "Undefined", "NO_MODEL")}
    until(lambda: "NO_MODEL" in subscriber.codes(), "NO_MODEL in health")
    assert subscriber.health()["device_health"] == "FAILURE"
    assert line.get("/readyz")[0] == 503
    shutil.copytree(DEMO_MODEL / "1", base / "staging")
    (base / "staging").rename(base / "1")
    until(lambda: any(result["verdict"] == "pass" for result in subscriber.results), "a part that passes")
    until(lambda: subscriber.health()["device_health"] == "NORMAL", "NORMAL health")
    assert line.stop() == 0


@pytest.mark.parametrize("broken", ["empty directory", "garbage"])
def test_a_folder_that_is_no_savedmodel_is_refused_in_a_sentence(appliance, subscriber, tmp_path, broken):
    version = tmp_path / "models" / "1"
    version.mkdir(parents=True)
    if broken == "garbage":
        (version / "saved_model.pb").write_bytes(os.urandom(5000))
    line = appliance(base_path=version.parent).start()
    until(lambda: len(subscriber.results) > 2, "results")
    assert {result["verdict"] for result in subscriber.results} == {"fail"}
    until(lambda: "NO_MODEL" in subscriber.codes(), "the reason in health")
    message = next(one["message"] for one in subscriber.health()["reasons"] if one["code"] == "NO_MODEL")
    assert str(version) in message
    assert "saved_model.pb" in message
    assert line.stop() == 0


@pytest.mark.slow
def test_a_model_that_does_not_fit_the_recipe_never_replaces_one_that_does(appliance, subscriber, tmp_path):
    base = tmp_path / "models"
    shutil.copytree(DEMO_MODEL / "1", base / "1")
    line = appliance(base_path=base).start()
    until(lambda: any(result["verdict"] == "pass" for result in subscriber.results), "a part that passes")
    shutil.copytree(base / "1", base / "staging")
    description = base / "staging" / "assets.extra" / "inspection.json"
    said = json.loads(description.read_text())
    said["input"]["width"] += 8
    description.write_text(json.dumps(said))
    (base / "staging").rename(base / "2")
    until(lambda: "MODEL_NOT_UPDATED" in subscriber.codes(), "the refusal in health")
    message = next(one["message"] for one in subscriber.health()["reasons"] if one["code"] == "MODEL_NOT_UPDATED")
    assert "version 2" in message
    assert "shape" in message
    seen = len(subscriber.results)
    until(lambda: len(subscriber.results) > seen + 5, "more results")
    assert {result["model"]["version"] for result in subscriber.results[seen:] if result["model"]} == {1}
    assert line.stop() == 0


@pytest.mark.slow
def test_a_camera_that_is_gone_fails_every_part_and_comes_back_by_itself(appliance, subscriber):
    camera = 'driver = "virtual"\nmisbehave = { gone = { at_exposures = [20], gone_s = 1.5 } }'
    line = appliance(camera=camera).start("--parts", "80")
    until(lambda: "CAMERA_LOST" in subscriber.codes(), "CAMERA_LOST in health")
    assert line.wait() == 0
    reasons = [result["reason"] for result in subscriber.results]
    assert len(reasons) == 80
    assert reasons.count("CAMERA_LOST") >= 5
    lost = [result for result in subscriber.results if result["reason"] == "CAMERA_LOST"]
    assert all(result["verdict"] == "fail" and result["deadline_met"] for result in lost)
    assert reasons[-1] != "CAMERA_LOST"


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)])
def test_a_camera_driver_that_dies_or_hangs_is_replaced_and_every_part_has_its_result(appliance, subscriber, how):
    line = appliance().start("--parts", "100")
    until(lambda: len(subscriber.results) > 10, "first results")
    driver = child_of(line, "camera.supervised")
    os.kill(driver, how)
    assert line.wait() == 0, line.log()
    results = subscriber.results
    assert [result["trigger_id"] for result in results] == list(range(100))
    unseen = [result for result in results if result["evaluation"] == "Undefined"]
    assert unseen
    assert all(result["verdict"] == "fail" and result["deadline_met"] for result in unseen)
    assert {result["reason"] for result in unseen} <= {"CAMERA_LOST", "FRAME_MISSING", "DEADLINE_EXPIRED"} | {
        "TRIGGER_OVERLAPPED"
    }
    assert results[-1]["evaluation"] != "Undefined", "the driver is back"
    assert "started again" in line.log()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("frozen = { at_exposures = [10], for_exposures = 5 }", Reason.FRAME_FROZEN),
        pytest.param("lost = { at_exposures = [10, 20] }", Reason.FRAME_MISSING, marks=pytest.mark.slow),
        pytest.param("incomplete = { at_exposures = [10, 20] }", Reason.FRAME_INCOMPLETE, marks=pytest.mark.slow),
        pytest.param("late = { at_exposures = [10, 20], late_s = 0.15 }", Reason.FRAME_MISSING, marks=pytest.mark.slow),
    ],
)
def test_a_picture_that_cannot_be_trusted_never_passes_a_part(appliance, subscriber, fault, reason):
    camera = f'driver = "virtual"\ndefect_rate = 0.0\nmisbehave = {{ {fault} }}'
    line = appliance(camera=camera, recipe="deadline_ms = 90").start("--parts", "40")
    assert line.wait() == 0
    assert len(subscriber.results) == 40
    hit = [result for result in subscriber.results if result["reason"] == reason.value]
    assert len(hit) >= 2
    assert {(result["verdict"], result["evaluation"]) for result in hit} == {("fail", "Undefined")}
    assert all(result["detail"] for result in hit)


@pytest.mark.slow
def test_a_camera_that_is_triggered_itself_gives_a_result_for_every_exposure_also_the_lost_ones(appliance, subscriber):
    camera = (
        'driver = "virtual"\ntrigger = "timed"\ntakt_s = 0.1\nmisbehave = { lost = { at_exposures = [60, 61, 80] } }'
    )
    line = appliance(camera=camera, line='trigger = "camera"').start()
    until(lambda: len(subscriber.results) > 100, "the results")
    assert line.stop() == 0
    missing = [result["trigger_id"] for result in subscriber.results if result["reason"] == "FRAME_MISSING"]
    assert missing == [60, 61, 80]
    triggers = [result["trigger_id"] for result in subscriber.results]
    assert triggers == list(range(len(triggers)))


def test_triggers_too_close_for_the_camera_are_failed_and_not_forgotten(appliance, subscriber):
    camera = 'driver = "virtual"\nlatency_s = 0.07'
    line = appliance(camera=camera, line="takt_ms = 40", recipe="deadline_ms = 200").start("--parts", "60")
    assert line.wait() == 0
    assert [result["trigger_id"] for result in subscriber.results] != []
    assert len(subscriber.results) == 60
    assert sum(result["reason"] == "TRIGGER_OVERLAPPED" for result in subscriber.results) >= 20


def test_nothing_is_lost_while_the_broker_is_away(appliance, subscriber, broker):
    line = appliance(line="takt_ms = 50", recipe="deadline_ms = 50").start("--parts", "200")
    until(lambda: len(subscriber.results) > 20, "first results")
    broker.stop()
    until(lambda: "BROKER_AWAY" in json.dumps(line.get("/healthz")[1]), "the broker's absence in health")
    broker.start()
    assert line.wait() == 0, line.log()
    until(lambda: len({result["result_id"] for result in subscriber.results}) == 200, "all results")
    unique = {result["sequence"]: result for result in subscriber.results}
    assert sorted(unique) == list(range(min(unique), min(unique) + 200))


@pytest.mark.slow
def test_a_broker_that_was_never_there_costs_nothing_but_time(appliance, tmp_path):
    line = appliance(broker_port=1).start("--parts", "30")
    until(lambda: "BROKER_AWAY" in json.dumps(line.get("/healthz")[1]), "the broker's absence in health")
    assert "127.0.0.1:1" in json.dumps(line.get("/healthz")[1])
    assert line.wait() == 0
    assert "30 results wait on disk" in line.log()


@pytest.mark.slow
def test_a_killed_line_loses_no_recorded_result_and_reuses_no_number(appliance, subscriber):
    line = appliance(line="takt_ms = 50", recipe="deadline_ms = 50")
    for _ in range(4):
        seen = len(subscriber.results)
        line.start()
        until(lambda seen=seen: len(subscriber.results) > seen + 8, "results")
        line.process.send_signal(signal.SIGKILL)
        line.wait()
    line.start("--parts", "5")
    assert line.wait() == 0
    unique = {}
    for result in subscriber.results:
        assert unique.setdefault(result["sequence"], result["result_id"]) == result["result_id"]
    assert sorted(unique) == list(range(min(unique), max(unique) + 1))
    assert len({result["stream"] for result in subscriber.results}) == 1


@pytest.mark.slow
def test_a_gateway_that_dies_is_started_again_and_the_line_judges_on(appliance, subscriber):
    line = appliance(line="takt_ms = 50", recipe="deadline_ms = 50").start("--parts", "150")
    until(lambda: len(subscriber.results) > 10, "first results")
    os.kill(child_of(line, "appliance.gateway"), signal.SIGKILL)
    assert line.wait() == 0, line.log()
    until(lambda: len({result["result_id"] for result in subscriber.results}) == 150, "all results")
    assert not any(result["reason"] == "DEADLINE_EXPIRED" for result in subscriber.results)
    assert "The gateway ended with code" in line.log()


def test_a_port_in_use_is_said_and_the_line_runs_without_rest(appliance, subscriber):
    with socket.socket() as taken:
        line = appliance()
        taken.bind(("127.0.0.1", line.http_port))
        taken.listen()
        line.start("--parts", "20")
        until(lambda: "HTTP_DOWN" in subscriber.codes(), "HTTP_DOWN over MQTT")
        assert line.wait() == 0
    assert len(subscriber.results) == 20
    assert f"{line.http_port}" in line.log()


@pytest.mark.slow
def test_a_wrong_configuration_is_refused_at_start_and_at_reload(appliance, subscriber):
    line = appliance()
    good = line.config_file.read_text()
    line.start()
    until(lambda: len(subscriber.results) > 3, "results")
    line.config_file.write_text(good.replace("deadline_ms", "deadlin_ms"))
    line.process.send_signal(signal.SIGHUP)
    until(lambda: "CONFIG_REFUSED" in subscriber.codes(), "the refusal in health")
    seen = len(subscriber.results)
    until(lambda: len(subscriber.results) > seen + 3, "results with the settings before")
    command = [sys.executable, "-m", "appliance.cli", "run", "--config", str(line.config_file)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert refused.returncode == 1
    assert "Did you mean deadline_ms?" in refused.stderr
    assert "Traceback" not in refused.stderr
    line.config_file.write_text(good)
    assert line.stop() == 0


def test_a_reload_takes_new_limits_without_losing_a_part(appliance, subscriber):
    line = appliance(line="takt_ms = 50", recipe="deadline_ms = 50").start()
    until(lambda: any(result["verdict"] == "pass" for result in subscriber.results), "a part that passes")
    before = subscriber.results[-1]["config_id"]
    settings = line.config_file.read_text()
    strict = settings.replace("[recipes.part]", "[recipes.part.limits]\ngood_min = 1.0\n[recipes.part]")
    line.config_file.write_text(strict)
    line.process.send_signal(signal.SIGHUP)
    until(lambda: subscriber.results[-1]["config_id"] != before, "the new settings")
    until(lambda: sum(result["config_id"] != before for result in subscriber.results) > 20, "parts under them")
    after = [result for result in subscriber.results if result["config_id"] != before]
    assert sum(result["verdict"] == "pass" for result in after) < len(after) / 2
    assert line.stop() == 0
    assert sequences(subscriber.results) == sorted(set(sequences(subscriber.results)))
    triggers = [result["trigger_id"] for result in subscriber.results]
    assert triggers == list(range(len(triggers)))


@pytest.mark.slow  # how long what the broker has can give way depends on how busy the machine was before
@pytest.mark.timeout(300)
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT VERIFIED: mounting a small disk needs root")
def test_a_full_disk_fails_parts_loudly_and_recovers(appliance, broker, subscriber, tmp_path):
    """Loudly once nothing is left to give way: what the broker has goes first."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    try:
        line = appliance(outbox=f'folder = "{disk / "outbox"}"\nmax_bytes = "6 MiB"').start()
        until(lambda: any(result["verdict"] == "pass" for result in subscriber.results), "a part that passes")
        filler = disk / "filler"
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        found = {str(one): one.stat().st_size for one in disk.rglob("*")}
        assert free > 1_000_000, f"the disk was full before the test filled it: {found}"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 65536)
            except OSError:
                pass
        seen = len(subscriber.results)
        until(lambda: len(subscriber.results) > seen + 20, "parts recorded in the room of those that the broker has")
        broker.stop()
        until(lambda: "NOT_RECORDED" in json.dumps(line.get("/healthz")[1]), "NOT_RECORDED in health", 200)
        # Health says so from the first write that failed, also where room was made before the next part came.
        failed = 'appliance_parts_failed_by_reason_total{camera="top",reason="NOT_RECORDED"}'
        until(lambda: failed in line.get("/metrics")[1], "a part that failed for it")
        filler.unlink()
        broker.start()
        until(lambda: any(r["reason"] == "NOT_RECORDED" for r in subscriber.results), "the parts that failed")
        seen = len(subscriber.results)
        until(lambda: any(r["verdict"] == "pass" for r in subscriber.results[seen:]), "parts that pass again")
        assert line.stop() == 0
        numbers = sequences(subscriber.results)
        named = {n for gap in subscriber.gaps for n in range(gap["from_sequence"], gap["to_sequence"] + 1)}
        assert set(range(min(numbers), max(numbers) + 1)) == set(numbers) | named
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


SLOW_MODEL = """
import sys, json, pathlib, tensorflow as tf

class Slow(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 1], tf.uint8, name="image")])
    def judge(self, image):
        start = tf.reduce_mean(tf.cast(image, tf.float32)) / 255.0 + tf.eye(600)
        _, end = tf.while_loop(lambda i, m: i < 150, lambda i, m: (i + 1, tf.matmul(m, m) / 600.0), [0, start])
        good = tf.clip_by_value(tf.reduce_mean(end), 0.0, 1.0)
        return {"scores": tf.tile(tf.stack([[good, 1.0 - good]]), [tf.shape(image)[0], 1])}

slow, out = Slow(), pathlib.Path(sys.argv[1])
tf.saved_model.save(slow, str(out), signatures=slow.judge)
(out / "assets.extra").mkdir()
(out / "assets.extra" / "inspection.json").write_text(json.dumps({
    "labels": ["good", "bad"], "good_label": "good",
    "input": {"width": 32, "height": 32, "color": "MONO8", "dtype": "uint8", "resize": "area"},
    "limits": {"good_min": 0.0, "per_class": {"bad": 1.0}}}))
"""


@pytest.mark.slow
def test_a_model_that_is_too_slow_fails_every_part_in_time(appliance, subscriber, tmp_path):
    """Nothing interrupts a model call: the deadline's watch gives the result, and the late verdict is dropped."""
    version = tmp_path / "models" / "1"
    version.parent.mkdir()
    subprocess.run([sys.executable, "-c", SLOW_MODEL, str(version)], check=True, capture_output=True)
    line = appliance(
        base_path=version.parent,
        model='engines = ["tensorflow-saved-model"]',
        line="takt_ms = 300",
        recipe="deadline_ms = 100",
    ).start("--parts", "15")
    until(lambda: "DEADLINES_MISSED" in subscriber.codes(), "the late verdicts in health", 120)
    assert subscriber.health()["device_health"] in {"OFF_SPEC", "CHECK_FUNCTION"}
    assert line.wait() == 0
    results = subscriber.results
    assert len(results) == 15
    assert {result["verdict"] for result in results} == {"fail"}
    late = [result for result in results if result["reason"] == "DEADLINE_EXPIRED"]
    assert len(late) >= 10
    assert sum(result["deadline_met"] for result in late) >= len(late) - 2
