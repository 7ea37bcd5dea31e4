"""`appliance serve` as a child process, and a client that speaks our own messages over grpcio."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import grpc
from running import until

from appliance.protos import message, parse_text

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared" / "data"


def publish(source, base, version):
    """A version as one should be published: copied under another name, then renamed."""
    base.mkdir(parents=True, exist_ok=True)
    hidden = base / f"{version}.new"
    shutil.copytree(source, hidden)
    hidden.rename(base / str(version))


def one_model(name, base, more=""):
    return f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" {more} }}'


def labels(**pairs):
    return "".join(f'version_labels {{ key: "{key}" value: {value} }}' for key, value in pairs.items())


def model_list(*entries):
    return f"model_config_list {{ {' '.join(entries)} }}"


class Server:
    """Started with flags; ports are any free ones, of this machine only, unless a flag says otherwise."""

    def __init__(self, folder, number=0):
        self.log_file = folder / f"serve-{number}.log"
        self.process = None

    def start(self, *flags, environment=os.environ):
        command = [sys.executable, "-m", "appliance.cli", "serve", "--bind_address=127.0.0.1"]
        names = {flag.partition("=")[0] for flag in flags}
        command += [f"--{name}=-1" for name in ("port", "rest_api_port") if f"--{name}" not in names]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *flags],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=REPOSITORY,
                env={**environment, "PYTHONFAULTHANDLER": "1"},
            )
        return self

    def up(self):
        """Wait until the ports are open."""
        until(self._is_up, "the server to open its ports", 40)
        return self

    def _is_up(self):
        assert self.process.poll() is None, self.log()
        return "Exporting HTTP/REST API at" in self.log()

    @property
    def grpc_port(self):
        return int(re.search(r"Running gRPC ModelServer at [\d.]+:(\d+)", self.log())[1])

    @property
    def rest_port(self):
        return int(re.search(r"Exporting HTTP/REST API at:localhost:(\d+)", self.log())[1])

    def log(self):
        return self.log_file.read_text(errors="replace")

    def exit_code(self, timeout_s=40):
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.tell(signal.SIGABRT)  # says where each thread is
            self.process.wait(10)
            raise AssertionError(f"it did not end within {timeout_s} s:\n{self.log()}") from None

    def tell(self, number):
        self.process.send_signal(number)

    def stop(self):
        self.tell(signal.SIGTERM)
        return self.exit_code()

    def end(self):
        """Whatever the test did, nothing of it goes on."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def get(self, path, body=None):
        """Status and text of a REST answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.rest_port}{path}", data=None if body is None else json.dumps(body).encode()
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def client(self):
        return Client(grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}"))


class Client:
    """Threads: any."""

    def __init__(self, channel):
        self.channel = channel
        self._prediction = {
            method: self._method("PredictionService", method, f"{method}Request", f"{method}Response")
            for method in ("Predict", "GetModelMetadata")
        }
        self._classify = self._method(
            "PredictionService", "Classify", "ClassificationRequest", "ClassificationResponse"
        )
        self._status = self._method("ModelService", "GetModelStatus", "GetModelStatusRequest", "GetModelStatusResponse")
        self._reload = self._method(
            "ModelService", "HandleReloadConfigRequest", "ReloadConfigRequest", "ReloadConfigResponse"
        )

    def _method(self, service, method, request, response):
        return self.channel.unary_unary(
            f"/tensorflow.serving.{service}/{method}",
            request_serializer=lambda sent: sent.SerializeToString(),
            response_deserializer=message(f"tensorflow.serving.{response}").FromString,
        )

    def predict(self, name, timeout_s=20, *, signature="", version=None, label=None, **inputs):
        """Version and values of the only output."""
        request = message("tensorflow.serving.PredictRequest")()
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        if label is not None:
            request.model_spec.version_label = label
        for alias, value in inputs.items():
            _fill(request.inputs[alias], value)
        response = self._prediction["Predict"](request, timeout=timeout_s)
        (output,) = response.outputs.values()
        return response.model_spec.version.value, list(output.float_val) or list(output.int_val)

    def classify(self, name):
        request = message("tensorflow.serving.ClassificationRequest")()
        request.model_spec.name = name
        request.input.example_list.examples.add()
        return self._classify(request, timeout=20)

    def states(self, name):
        """Version -> state's name, error's code."""
        request = message("tensorflow.serving.GetModelStatusRequest")()
        request.model_spec.name = name
        names = message("tensorflow.serving.ModelVersionStatus").DESCRIPTOR.enum_types_by_name["State"]
        return {
            each.version: (names.values_by_number[each.state].name, each.status.error_code)
            for each in self._status(request, timeout=20).model_version_status
        }

    def reload(self, *entries, timeout_s=30, metrics=()):
        text = model_list(*entries)
        config = parse_text("tensorflow.serving.ModelServerConfig", text)
        request = message("tensorflow.serving.ReloadConfigRequest")(config=config, metric_names=metrics)
        return self._reload(request, timeout=timeout_s)

    def close(self):
        self.channel.close()


def _fill(tensor, value):
    values = value if isinstance(value, list) else [value]
    if isinstance(values[0], int):
        tensor.dtype = 3
        tensor.int_val.extend(values)
    else:
        tensor.dtype = 1
        tensor.float_val.extend(values)
    if isinstance(value, list):
        tensor.tensor_shape.dim.add(size=len(values))
    else:
        tensor.tensor_shape.SetInParent()


def refused(call, *arguments, **wishes):
    """Code and text of a call that fails."""
    try:
        call(*arguments, **wishes)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError("it was answered")


class Clients:
    """So many clients that ask again and again: each answer in order, and every failure."""

    def __init__(self, server, count, name, **inputs):
        self._clients = [server.client() for _ in range(count)]
        self._stop = threading.Event()
        self.answers = [[] for _ in self._clients]
        self.failures = []
        self._threads = [
            threading.Thread(target=self._ask, args=(client, answers, name, inputs))
            for client, answers in zip(self._clients, self.answers, strict=True)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        until(lambda: all(self.answers) or self.failures, "each client to be answered", 20)
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        for client in self._clients:
            client.close()

    def all_are_at(self, version):
        return all(answers and answers[-1][0] == version for answers in self.answers)

    def versions(self):
        return [[version for version, _ in answers] for answers in self.answers]

    def _ask(self, client, answers, name, inputs):
        pause = threading.Event()
        while not self._stop.is_set():
            try:
                answers.append(client.predict(name, **inputs))
            except grpc.RpcError as error:
                self.failures.append((error.code().name, error.details()))
            pause.wait(0.005)


def children_of(pid):
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
