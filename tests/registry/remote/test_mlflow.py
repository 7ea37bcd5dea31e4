"""MLflow's aliases: a stand-in that speaks its documented JSON, and, marked slow, the server itself."""

import io
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from remote_servers import AGENT, WEIGHTS, Blobs, Link, Scripted, config
from running import free_port, until

from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.remote.opening import open_remote
from appliance.registry.remote.reference import Selection

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


class Mlflow:
    """The five calls, as MLflow 3 answers them; `folder` is what its artifacts are."""

    def __init__(self, folder, source="models:/m-1", uri="mlflow-artifacts:/0/models/m-1/artifacts"):
        self.folder = folder
        self.top = "0/models/m-1/artifacts"
        self.source = source
        self.uri = uri
        self.version = "3"
        self.blobs = Blobs({})

    def __call__(self, request):
        url = urlsplit(request.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == f"{API}/registered-models/alias":
            if (asked["name"], asked["alias"]) != ("surface", "champion"):
                return 404, {}, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}'
            about = {
                "name": "surface",
                "version": self.version,
                "source": self.source,
                "run_id": "r1",
                "status": "READY",
            }
            return self.json({"model_version": about})
        if url.path == f"{API}/model-versions/get-download-uri":
            assert asked == {"name": "surface", "version": self.version}
            return self.json({"artifact_uri": self.uri})
        if url.path == f"{API}/runs/get":
            assert asked == {"run_id": "r1"}
            return self.json({"run": {"info": {"artifact_uri": "mlflow-artifacts:/0/models/m-1"}}})
        if url.path == ARTIFACTS:
            return self.json({"files": self.entries(asked["path"])})
        path = unquote(url.path).removeprefix(f"{ARTIFACTS}/{self.top}/")
        self.blobs.files = {request.path: (self.folder / path).read_bytes()} if (self.folder / path).is_file() else {}
        return self.blobs(request)

    def entries(self, path):
        folder = self.folder / path.removeprefix(self.top).lstrip("/")
        return [
            {"path": entry.name, "is_dir": entry.is_dir()}
            | ({} if entry.is_dir() else {"file_size": entry.stat().st_size})
            for entry in sorted(folder.iterdir())
        ]

    @staticmethod
    def json(value):
        return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def opened(host, **more):
    return closing(open_remote(f"mlflow+http://{host}/surface@champion", config(), user_agent=AGENT, **more))


def read_all(remote):
    found = {}
    for file in remote.list(remote.look()).files:
        sink = io.BytesIO()
        remote.fetch(file, file.size, sink, lambda _count: None)
        found[file.path] = sink.getvalue()
    return found


def as_folder(package):
    return {str(file.relative_to(package)): file.read_bytes() for file in package.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("models:/m-1", "mlflow-artifacts:/0/models/m-1/artifacts"),
        ("mlflow-artifacts:/0/models/m-1/artifacts", "mlflow-artifacts://127.0.0.1:5000/0/models/m-1/artifacts"),
        ("runs:/r1/artifacts", "not asked for"),
        ("models:/m-1", "runs:/r1/artifacts"),
    ],
)
def test_files_of_an_alias(package, source, uri):
    with Scripted(Mlflow(package, source, uri)) as server, opened(server.host) as remote:
        seen = remote.look()
        assert seen.reference == f"mlflow+http://{server.host}/surface@champion (version 3)"
        listing = remote.list(seen)
        assert all(file.sha256 is None for file in listing.files)
        assert read_all(remote) == as_folder(package)
        statement = next(file for file in listing.files if file.path == "release.json")
        assert remote.read(statement, 1000) == (package / "release.json").read_bytes()
        with pytest.raises(Rejected) as refused:
            remote.read(statement, 10)
        assert refused.value.reason is Refusal.TOO_LARGE


def test_package_in_a_subfolder_of_the_artifacts(package, tmp_path):
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "MLmodel").write_text("flavors:")
    expected = as_folder(package)
    package.rename(tmp_path / "artifacts" / "model")
    with Scripted(Mlflow(tmp_path / "artifacts")) as server, opened(server.host) as remote:
        assert read_all(remote) == expected


def test_look_is_small_and_sees_a_new_version(package):
    reply = Mlflow(package)
    with Scripted(reply) as server, Link(server.port) as link, opened(f"127.0.0.1:{link.port}") as remote:
        first = remote.look()
        before = link.sent + link.received
        assert remote.look() == first
        assert 0 < link.sent + link.received - before <= 1000
        reply.version = "4"
        assert remote.look().identity != first.identity
        with pytest.raises(Rejected) as moved:
            remote.list(first)
        assert moved.value.reason is Refusal.MOVED


def test_keras_file_is_told_what_to_do_about(tmp_path):
    (tmp_path / "model" / "data").mkdir(parents=True)
    (tmp_path / "model" / "MLmodel").write_text("flavors:")
    (tmp_path / "model" / "data" / "model.keras").write_bytes(b"PK")
    with Scripted(Mlflow(tmp_path / "model")) as server, opened(server.host) as remote:
        with pytest.raises(Rejected, match=r"holds model\.keras.*`appliance package`.*log_artifacts") as refused:
            remote.list(remote.look())
        assert refused.value.reason is Refusal.NOT_A_PACKAGE
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"graph")
    with Scripted(Mlflow(tmp_path / "model")) as server, opened(server.host) as remote:
        seen = remote.look()
        with pytest.raises(Rejected, match="not signed"):
            remote.list(seen)


@pytest.mark.parametrize(
    "uri", ["s3://bucket/models/m-1", "/var/mlflow/m-1", "http://other.test/api/2.0/mlflow-artifacts/artifacts/x"]
)
def test_storage_that_mlflow_does_not_serve(package, uri):
    with Scripted(Mlflow(package, "models:/m-1", uri)) as server, opened(server.host) as remote:
        seen = remote.look()
        with pytest.raises(Unavailable, match="--serve-artifacts"):
            remote.list(seen)


def test_alias_that_is_not_there(package):
    with (
        Scripted(Mlflow(package)) as server,
        opened(server.host, select=Selection(tag="rookie")) as remote,
        pytest.raises(
            Unavailable, match=r"answers 404 on reading mlflow.*surface@rookie: there is nothing of that name"
        ),
    ):
        remote.look()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"model_version": {}}', b'{"model_version": 3}'])
def test_server_that_is_no_mlflow(body):
    with (
        Scripted(lambda request: (200, {}, body)) as server,
        opened(server.host) as remote,
        pytest.raises(Unavailable, match="is it an MLflow server"),
    ):
        remote.look()


def test_endless_folders_are_refused(package):
    reply = Mlflow(package)
    reply.entries = lambda path: [{"path": "again", "is_dir": True}, {"path": "file", "is_dir": False, "file_size": 1}]
    with Scripted(reply) as server, opened(server.host) as remote:
        with pytest.raises(Rejected) as refused:
            remote.list(remote.look())
        assert refused.value.reason is Refusal.TOO_LARGE


LOG = """
import sys, mlflow
from mlflow import MlflowClient
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
client.create_registered_model("surface")
mlflow.set_experiment("models")
with mlflow.start_run() as run:
    mlflow.log_artifacts(sys.argv[2], "package")
by_run = client.create_model_version("surface", f"runs:/{run.info.run_id}/package", run.info.run_id)
client.set_registered_model_alias("surface", "champion", by_run.version)
client.create_registered_model("direct")
uri = client.get_run(run.info.run_id).info.artifact_uri + "/package"
direct = client.create_model_version("direct", uri, run.info.run_id)
client.set_registered_model_alias("direct", "champion", direct.version)
model = mlflow.initialize_logged_model(name="logged")
with open(sys.argv[2] + "/MLmodel", "w") as file:
    file.write("flavors: {}\\nmodel_uuid: x\\n")
mlflow.tracking.MlflowClient().log_model_artifacts(model.model_id, sys.argv[2])
mlflow.finalize_logged_model(model.model_id, "READY")
client.create_registered_model("logged")
logged = client.create_model_version("logged", f"models:/{model.model_id}", model_id=model.model_id)
client.set_registered_model_alias("logged", "champion", logged.version)
"""
VERSION = "3.17.2"


def mlflow_environment():
    """A virtual environment with MLflow, kept below the user's cache for the next time; about a minute the first."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "inspection-appliance-tests" / "mlflow"
    if not (folder / "bin" / "mlflow").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
        subprocess.run([folder / "bin" / "pip", "install", "-q", f"mlflow=={VERSION}"], check=True, timeout=900)
    return folder / "bin"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_mlflow_itself(tmp_path, package):
    programs = mlflow_environment()
    port = free_port()
    options = f"--host 127.0.0.1 --port {port} --workers 1 --serve-artifacts".split()
    stores = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/mlflow.db",
        "--artifacts-destination",
        f"{tmp_path}/artifacts",
    ]
    command = [programs / "mlflow", "server", *options, *stores]
    with (tmp_path / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path, start_new_session=True)
    try:
        host = f"127.0.0.1:{port}"
        health = ["curl", "-sf", f"http://{host}/health"]
        until(lambda: subprocess.run(health, check=False, capture_output=True).returncode == 0, "MLflow to listen", 180)
        expected = as_folder(package)
        subprocess.run([programs / "python", "-c", LOG, f"http://{host}", str(package)], check=True, timeout=300)
        for name in ("surface", "direct", "logged"):
            text = f"mlflow+http://{host}/{name}@champion"
            with closing(open_remote(text, config(timeout_s=30), user_agent=AGENT)) as remote:
                found = read_all(remote)
                found.pop("MLmodel", None)
                assert found == expected
                weights = next(file for file in remote.list(remote.look()).files if file.size == len(WEIGHTS))
                sink = io.BytesIO(WEIGHTS[:1_000_000])
                sink.seek(1_000_000)
                came = []
                remote.fetch(weights, weights.size, sink, came.append)  # its server knows ranges
                assert sink.getvalue() == WEIGHTS
                assert sum(came) == len(WEIGHTS) - 1_000_000
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)
