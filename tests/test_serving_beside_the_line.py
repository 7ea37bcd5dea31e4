"""TensorFlow Serving's gRPC and REST on the models of a running line: clients get answers, and parts go first.

Every test runs the real `appliance run` with a real Mosquitto, the real demo model and real clients.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest
from running import DEMO_MODEL, free_port, until
from test_life_of_a_part import SLOW_MODEL, child_of
from test_scheduling import real_time_is_allowed, threads

from appliance.protos import message

SAID = json.loads((DEMO_MODEL / "1" / "assets.extra" / "inspection.json").read_text())["input"]
PICTURE = np.random.default_rng(2).integers(0, 255, (1, SAID["height"], SAID["width"], 1), np.uint8)
ANSWER_S = 60
PACE = {"line": "takt_ms = 100", "recipe": "deadline_ms = 100"}


class Client:
    """Both APIs, each call on a connection of its own thread."""

    def __init__(self, grpc_port, rest_port):
        self.grpc_port = grpc_port
        self.rest_port = rest_port
        self.serving = f"grpc_port = {grpc_port}\nrest_port = {rest_port}"

    def rest(self, path, body=None):
        """Status and body; status 0 while nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=ANSWER_S)
        try:
            connection.request("GET" if body is None else "POST", f"/v1/models/{path}", body and json.dumps(body))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            return 0, None
        finally:
            connection.close()

    def call(self, method, request, answer, service="PredictionService", timeout_s=ANSWER_S):
        """Raises: grpc.RpcError."""
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            return channel.unary_unary(
                f"/tensorflow.serving.{service}/{method}",
                request_serializer=lambda one: one.SerializeToString(),
                response_deserializer=message(f"tensorflow.serving.{answer}").FromString,
            )(request, timeout=timeout_s)

    def predict(self, model="surface", picture=PICTURE, timeout_s=ANSWER_S, **spec):
        """Version and scores over gRPC. Raises: grpc.RpcError."""
        request = message("tensorflow.serving.PredictRequest")()
        request.model_spec.name = model
        if "version" in spec:
            request.model_spec.version.value = spec["version"]
        if "label" in spec:
            request.model_spec.version_label = spec["label"]
        tensor = request.inputs["image"]
        tensor.dtype = 4
        for size in picture.shape:
            tensor.tensor_shape.dim.add().size = size
        tensor.tensor_content = picture.tobytes()
        answer = self.call("Predict", request, "PredictResponse", timeout_s=timeout_s)
        return answer.model_spec.version.value, list(answer.outputs["scores"].float_val)

    def available(self, model):
        """The versions that are."""
        status, said = self.rest(model)
        found = said["model_version_status"] if status == 200 else []
        return sorted(int(one["version"]) for one in found if one["state"] == "AVAILABLE")

    def state(self, version):
        """Of a version of the line's model; None where nobody knows it."""
        status, said = self.rest("surface")
        found = said["model_version_status"] if status == 200 else []
        return next((one["state"] for one in found if one["version"] == str(version)), None)

    def answers(self):
        """Whether the model answers over both."""
        try:
            return self.rest("surface")[0] == 200 and self.predict()
        except grpc.RpcError:
            return False


@pytest.fixture
def client():
    return Client(free_port(), free_port())


def up(client, subscriber):
    """Both APIs answer, and parts are judged."""
    until(client.answers, "both APIs to answer", 180)
    until(lambda: any(result["evaluation"] != "Undefined" for result in subscriber.results), "a part to be judged", 60)


def together(bodies):
    """Run all at once, and re-raise what one of them raised."""
    raised = []

    def guarded(body):
        try:
            body()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * ANSWER_S)
        assert not thread.is_alive()
    assert raised == []


def assert_no_part_was_missed(subscriber):
    results = subscriber.results
    numbers = [result["sequence"] for result in results]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    triggers = [result["trigger_id"] for result in results]
    assert triggers == list(range(len(triggers)))
    judged = [result["trigger_id"] for result in results if result["evaluation"] != "Undefined"]
    undefined = [result for result in results[judged[0] :] if result["evaluation"] == "Undefined"]
    assert undefined == [], "from the first verdict on, each part has one"
    assert all(result["deadline_met"] for result in results)


def resident_mb(pid):
    with open(f"/proc/{pid}/statm") as statm:  # noqa: PTH123 - a line of numbers
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
def test_both_apis_answer_as_the_line_s_own_model_does_while_parts_pass(appliance, subscriber, client):
    line = appliance(serving=client.serving, model="labels = { stable = 1 }", **PACE).start()
    up(client, subscriber)
    version, scores = client.predict()
    assert version == 1
    assert sum(scores) == pytest.approx(1.0, abs=1e-3)
    status, said = client.rest("surface:predict", {"instances": PICTURE.tolist()})
    assert status == 200
    assert said["predictions"][0] == pytest.approx(scores, abs=1e-5)
    assert client.predict(label="stable")[1] == pytest.approx(scores)
    assert client.rest("surface/labels/stable:predict", {"instances": PICTURE.tolist()})[0] == 200
    for wrong in ({"version": 9}, {"model": "nobody"}):
        with pytest.raises(grpc.RpcError) as refused:
            client.predict(**wrong)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert "Servable not found for request" in refused.value.details()
    before = resident_mb(line.process.pid)

    def ask():
        for _ in range(10):
            assert client.predict() == (version, scores)
            assert client.rest("surface:predict", {"instances": PICTURE.tolist()})[0] == 200

    together([ask] * 4)
    assert resident_mb(line.process.pid) - before < 20
    assert line.stop() == 0
    assert_no_part_was_missed(subscriber)


@pytest.mark.slow
def test_no_request_fails_while_the_model_is_swapped_under_clients_and_camera(appliance, subscriber, client, tmp_path):
    base = tmp_path / "models"
    shutil.copytree(DEMO_MODEL / "1", base / "1")
    line = appliance(base_path=base, serving=client.serving, **PACE).start()
    up(client, subscriber)
    versions, swapped = set(), threading.Event()

    def ask():
        while not swapped.is_set():
            versions.add(client.predict()[0])
            status, said = client.rest("surface:predict", {"instances": PICTURE.tolist()})
            assert (status, list(said)) == (200, ["predictions"])

    def swap():
        until(lambda: versions == {1}, "answers of version 1")
        shutil.copytree(base / "1", base / "staging")
        (base / "staging" / "assets.extra" / "note.txt").write_text("another version")
        (base / "staging").rename(base / "2")
        try:
            until(lambda: 2 in versions, "answers of version 2", 120)
        finally:
            swapped.set()

    together([ask] * 4 + [swap])
    with pytest.raises(grpc.RpcError) as refused:
        client.predict(version=1)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    until(lambda: subscriber.results[-1]["model"]["version"] == 2, "the camera's parts to be judged by version 2")
    assert line.stop() == 0
    assert_no_part_was_missed(subscriber)


@pytest.mark.slow
def test_a_version_whose_recorded_requests_fail_judges_no_part(appliance, subscriber, client, tmp_path):
    base = tmp_path / "models"
    shutil.copytree(DEMO_MODEL / "1", base / "1")
    line = appliance(base_path=base, serving=client.serving, **PACE).start()
    up(client, subscriber)
    shutil.copytree(base / "1", base / "staging")
    (base / "staging" / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"these are no records")
    (base / "staging").rename(base / "2")
    until(lambda: client.state(2) == "END", "version 2 to be refused", 120)
    found = next(one for one in client.rest("surface")[1]["model_version_status"] if one["version"] == "2")
    assert found["status"]["error_code"] == "DATA_LOSS"
    assert "Please verify your warmup data is in TFRecord format." in found["status"]["error_message"]
    assert client.predict()[0] == 1
    assert line.stop() == 0
    assert {result["model"]["version"] for result in subscriber.results if result["model"]} == {1}
    assert_no_part_was_missed(subscriber)


def test_a_serving_process_that_is_killed_comes_back_and_the_line_judges_on(appliance, subscriber, client):
    line = appliance(serving=client.serving, **PACE).start()
    up(client, subscriber)
    first = child_of(line, "appliance.surface")
    os.kill(first, signal.SIGKILL)
    until(lambda: "The serving process ended with code -9" in line.log(), "the loss in the log")
    until(client.answers, "both APIs to answer again")
    assert child_of(line, "appliance.surface") not in {None, first}
    assert line.stop() == 0
    assert_no_part_was_missed(subscriber)


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_tried_again_and_stops_nothing(appliance, subscriber, client):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", client.rest_port))
        taken.listen()
        line = appliance(serving=client.serving, **PACE).start()
        until(lambda: "SERVING_DOWN" in subscriber.codes(), "SERVING_DOWN in health", 180)
        reasons = {reason["code"]: reason for reason in subscriber.health()["reasons"]}
        assert reasons["SERVING_DOWN"]["device_health"] == "MAINTENANCE_REQUIRED"
        assert str(client.rest_port) in reasons["SERVING_DOWN"]["message"]
        assert client.predict()[0] == 1, "the other API answers"
    until(client.answers, "REST to answer once the port is free")
    until(lambda: "SERVING_DOWN" not in subscriber.codes(), "health to say so")
    assert line.stop() == 0
    assert_no_part_was_missed(subscriber)


def test_nobody_on_the_network_changes_what_judges_parts(appliance, subscriber, client):
    line = appliance(serving=client.serving, **PACE).start()
    up(client, subscriber)
    request = message("tensorflow.serving.ReloadConfigRequest")()
    request.config.model_config_list.config.add(name="other", base_path="/srv/other", model_platform="tensorflow")
    with pytest.raises(grpc.RpcError) as refused:
        client.call("HandleReloadConfigRequest", request, "ReloadConfigResponse", "ModelService")
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "systemctl reload appliance" in refused.value.details()
    assert client.answers()
    assert line.stop() == 0


@pytest.mark.slow
def test_a_label_moves_with_a_reload(appliance, subscriber, client, tmp_path):
    base = tmp_path / "models"
    for version in ("1", "2"):
        shutil.copytree(DEMO_MODEL / "1", base / version)
    labels = "versions = { latest = 2 }\nlabels = { stable = %d }"
    line = appliance(base_path=base, serving=client.serving, model=labels % 1, **PACE).start()
    up(client, subscriber)
    until(lambda: client.available("surface") == [1, 2], "both versions", 180)
    assert client.predict(label="stable")[0] == 1
    line.config_file.write_text(line.config_file.read_text().replace("stable = 1", "stable = 2"))
    line.process.send_signal(signal.SIGHUP)
    until(lambda: client.predict(label="stable")[0] == 2, "the label to move")
    until(lambda: len(subscriber.results) > 5, "results")
    assert line.stop() == 0
    assert_no_part_was_missed(subscriber)


@pytest.mark.slow
def test_what_is_no_request_at_all_harms_nobody(appliance, subscriber, client):
    line = appliance(serving=client.serving, **PACE).start()
    up(client, subscriber)
    first = child_of(line, "appliance.surface")
    generator = np.random.default_rng(4)
    for port in (client.grpc_port, client.rest_port):
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", port), 10) as stranger:
                stranger.sendall(generator.bytes(int(generator.integers(1, 5000))))
    bodies = [
        {},
        {"instances": []},
        {"instances": [[[[[]]]]]},
        {"instances": "x" * 100_000},
        {"inputs": {"image": 1e999}},
    ]
    for body in bodies:
        assert client.rest("surface:predict", body)[0] == 400
    with pytest.raises(grpc.RpcError) as refused:
        client.predict(picture=PICTURE[:, :5])
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert client.answers()
    assert child_of(line, "appliance.surface") == first
    assert line.stop() == 0
    assert_no_part_was_missed(subscriber)


@pytest.mark.slow
def test_a_slow_model_keeps_its_clients_waiting_and_nobody_else(appliance, subscriber, client, tmp_path):
    """More than may wait are refused at once; status is told meanwhile, and parts are judged."""
    version = tmp_path / "slow" / "1"
    version.parent.mkdir()
    subprocess.run([sys.executable, "-c", SLOW_MODEL, str(version)], check=True, capture_output=True)
    slow = f'[models.slow]\nbase_path = "{version.parent}"\nengines = ["tensorflow-saved-model"]'
    line = appliance(serving=f"{client.serving}\nmax_queued = 2\nworkers = 1", extra=slow, **PACE).start()
    up(client, subscriber)
    picture = np.zeros((1, 32, 32, 1), np.uint8)
    until(lambda: client.available("slow"), "the slow model", 120)
    codes = []

    def ask():
        try:
            client.predict("slow", picture)
        except grpc.RpcError as error:
            codes.append(error.code())
        else:
            codes.append(None)

    def status():
        for _ in range(20):
            assert client.rest("surface")[0] == 200

    together([ask] * 16 + [status])
    assert set(codes) == {None, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert 3 <= codes.count(None) <= 10
    with pytest.raises(grpc.RpcError) as refused:
        together_with_one_at_work(client, picture)
    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert line.stop() == 0
    assert_no_part_was_missed(subscriber)


def together_with_one_at_work(client, picture):
    """Raises: grpc.RpcError, for a request whose deadline comes while the only worker is busy."""
    at_work = threading.Thread(target=client.predict, args=("slow", picture))
    at_work.start()
    try:
        client.predict("slow", picture, timeout_s=0.05)
    finally:
        at_work.join(ANSWER_S)


@pytest.mark.skipif(not real_time_is_allowed(), reason="NOT VERIFIED: no real-time priority here (ulimit -r)")
def test_who_lends_and_who_serves_keep_off_the_line_s_processors(appliance, subscriber, client):
    line = appliance(serving=client.serving, **PACE).start()
    up(client, subscriber)
    found = threads(line.process.pid)
    policy, priority, processors = found["lend/0"]
    assert (policy, priority) == (os.SCHED_RR, 1)
    assert priority < min(one[1] for name, one in found.items() if name.startswith("top/"))
    surface = child_of(line, "appliance.surface")
    assert os.getpriority(os.PRIO_PROCESS, surface) == 10
    if os.cpu_count() > 1:
        assert not processors & found["top/station"][2]
        assert not os.sched_getaffinity(surface) & found["top/station"][2]
    assert line.stop() == 0


def test_where_nobody_wants_it_there_is_no_such_process(appliance, subscriber):
    line = appliance(serving="enabled = false").start()
    until(lambda: len(subscriber.results) > 5, "results", 180)
    assert child_of(line, "appliance.surface") is None
    assert "SERVING_DOWN" not in subscriber.codes()
    assert line.stop() == 0
