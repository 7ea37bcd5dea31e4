"""A real Manager over real SavedModels, behind the real REST server on a free port."""

import http.client
import json
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from exporting import export
from running import until

from appliance.api.rest import RestServer, RestSettings
from appliance.dataplane import DataPlane, Metrics
from appliance.dataplane.local import LocalBackend
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving import (
    All,
    FileSystemSource,
    Latest,
    Manager,
    ManagerState,
    ThreadExecutor,
    WatchedServable,
    availability_preserving,
)

SETTINGS = RestSettings(host="127.0.0.1", port=0, threads=4, prometheus_path="/monitoring/prometheus/metrics")


class Models:
    """Folders of versions, loaded and kept loaded by a Manager."""

    def __init__(self, watched, cache, labels=None):
        config = RuntimeConfig(cache=cache, engines=("tensorflow-saved-model",), must_run=False)
        self.manager = Manager(
            availability_preserving, max_load_retries=0, executors=lambda what: ThreadExecutor(what, threads=2)
        )
        self.names = [one.name for one in watched]
        self.backend = LocalBackend(self.manager, lambda name: (labels or {}).get(name, {}))
        self._stop = threading.Event()
        source = FileSystemSource(watched, lambda _, folder: SavedModelLoader(folder, config), self.manager.aspire)
        source.poll()
        self._thread = threading.Thread(target=lambda: self.manager.run(self._stop, tick_s=0.01), daemon=True)
        self._thread.start()
        until(self._all_there, "the models to be loaded", 100)

    def _all_there(self):
        states = [self.manager.states(name) for name in self.names]
        assert not [one for name in states for one in name if one.manager_state is ManagerState.END], states
        return all(name and all(one.manager_state is ManagerState.AVAILABLE for one in name) for name in states)

    def close(self):
        self._stop.set()
        self._thread.join(10)
        self.manager.stop(10)


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Api:
    """A running server, and a client of it."""

    def __init__(self, backend, **settings):
        self.metrics = Metrics()
        self.server = RestServer(DataPlane(backend, self.metrics), replace(SETTINGS, **settings))
        self.port = self.server.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.server.start()

    def ask(self, verb, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(verb, path, content, {"Connection": "close", **sent})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def predict(self, name, body, **headers):
        return self.ask("POST", f"/v1/models/{name}:predict", body, **headers)


@pytest.fixture(scope="session")
def own_models(tmp_path_factory):
    """Models that the script beside this file writes, in a process of its own."""
    folder = export(Path(__file__).with_name("make_models.py"), tmp_path_factory.mktemp("models"))
    watched = [WatchedServable(one.name, one, All()) for one in sorted(folder.iterdir())]
    models = Models(watched, tmp_path_factory.mktemp("cache"), {"affine": {"stable": 1}})
    yield models
    models.close()


SHARED = Path(__file__).resolve().parents[4] / "shared"


@pytest.fixture(scope="session")
def fixtures(tmp_path_factory):
    """The models that the conformance cases are about."""
    described = SHARED / "conformance" / "tfs_fixtures.json"
    if not described.exists():
        pytest.skip(f"THE CONFORMANCE CASES ARE NOT HERE: {described} is missing")
    watched, labels = [], {}
    for name, one in json.loads(described.read_text())["fixtures"].items():
        policy = Latest(1) if one.get("policy", "latest 1") == "latest 1" else All()
        watched.append(WatchedServable(name, SHARED / "data" / one["base_path"], policy))
        labels[name] = one.get("labels", {})
    models = Models(watched, tmp_path_factory.mktemp("cache"), labels)
    yield models
    models.close()


@pytest.fixture
def api(own_models):
    """A server over our own models, with default limits."""
    api = Api(own_models.backend)
    yield api
    api.server.stop(5)


@pytest.fixture
def serve(own_models):
    """Start servers with settings of the test's."""
    started = []

    def serve(backend=None, **settings):
        started.append(Api(backend or own_models.backend, **settings))
        return started[-1]

    yield serve
    for api in started:
        api.server.stop(5)
