import http.client
import json
import threading
import time
from dataclasses import dataclass, replace

import pytest
from steering.boxes import document

from appliance.api.access import Access
from appliance.api.board import Board
from appliance.api.deployments import Deployments
from appliance.api.health import create_app
from appliance.api.line import LineViews
from appliance.api.server import HttpServer
from appliance.api.steered import Turns
from appliance.status import CameraStatus, LineStatus, ModelStatus, OutboxStatus
from appliance.steering.newest import Newest
from appliance.steering.requests import Answer as Steered

SCHEMA = b'{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "result"}\n'
ASYNCAPI = b'{"asyncapi": "3.0.0"}\n'


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test():
    before = set(threading.enumerate())
    yield
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


@pytest.fixture
def line():
    """A line that does well: two cameras, two versions of a model; change it with `dataclasses.replace`."""
    top = CameraStatus(
        state="online",
        parts=100,
        passed=90,
        evaluations={"OK": 90, "NotOK": 6, "NotDecidable": 3, "Undefined": 1},
        reasons={"CLASS_ABOVE_LIMIT": 6, "BETWEEN_LIMITS": 3, "DEADLINE_EXPIRED": 1},
        deadline_missed=1,
    )
    for value_ms in (0.5, 2.0, 2.5, 9.0, 700.0):
        top.latency["inference"].add(value_ms)
    return LineStatus(
        at_ns=time.monotonic_ns(),
        started_utc="2026-11-20T20:31:04.120Z",
        station="line3-box1",
        phase="running",
        reasons=[],
        cameras={"top": top, "side": CameraStatus(state="online")},
        models=[
            ModelStatus("surface", 7, "END", "golden sample 3 scored 0.41 instead of 0.97", None, None, "sha256:77"),
            ModelStatus("surface", 8, "AVAILABLE", None, "litert", "the fastest that agrees", "sha256:88"),
        ],
        outbox=OutboxStatus(
            *(True, None, 12, 14_220, 0.4, 82_397, 2),
            kept=4_300,
            kept_bytes=5_100_000,
            kept_age_s=259_200,
            max_bytes=2 * 1024**3,
            state="RECORDING",
        ),
        resident_bytes=412_000_000,
        takes_parts=True,
    )


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Box:
    """The real app behind the real server on a free port, with the board in the test's hands."""

    def __init__(self):
        self.board = Board()
        newest = Newest()
        newest.take(document(models=()))
        refuse, turns = lambda *_: Steered.refusal(404, "Not here."), Turns(2)
        app = create_app(
            self.board,
            version="1.2.3",
            documents={"schema/result.json": SCHEMA, "asyncapi.json": ASYNCAPI},
            deployments=Deployments(newest, refuse, Access(), turns),
            line=LineViews(self.board, refuse, Access(), turns),
        )
        self.server = HttpServer(app, "127.0.0.1", 0, threads=2)
        self.server.start()

    def reports(self, line, **changed):
        self.board.line_reported(replace(line, at_ns=time.monotonic_ns(), **changed))

    def ask(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path, body, {"Connection": "close", **headers})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


@pytest.fixture
def box():
    box = Box()
    yield box
    box.server.stop(5)
