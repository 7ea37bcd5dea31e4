"""The gateway's HTTP side for real, and a delivery process' double behind its socket."""

import contextlib
import http.client
import json
import threading
from dataclasses import replace

from running import until
from steering.boxes import DIGEST, Handler, deployment

from appliance.api.access import Access
from appliance.api.board import Board
from appliance.api.deployments import Deployments
from appliance.api.health import create_app
from appliance.api.server import HttpServer
from appliance.api.steered import Turns
from appliance.registry.deployments.states import State
from appliance.steering.client import ControlClient
from appliance.steering.document import SCHEMA_PATH
from appliance.steering.newest import Newest
from appliance.steering.server import ControlServer

DOCUMENTS = {"schema/deployment.json": SCHEMA_PATH.read_bytes()}
LIVE = deployment(2, state=State.STAGED, release=8, version=8, digest=DIGEST, waiting_for="approval")
OVER = deployment(1, state=State.SUCCESS, release=7, version=7, digest=DIGEST)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Steered:
    """The gateway's HTTP side, and the delivery process' double behind its socket."""

    def __init__(self, folder, *, threads=4, tokens=None, delivered=True, handle=None):
        self.handler = Handler(LIVE, OVER, models=("surface", "seal"))
        self.control = ControlServer(folder / "control.sock", handle or self.handler)
        self.handler.tell = self.control.tell
        self.client = ControlClient(folder / "control.sock")
        self.newest = Newest()
        self.watching = threading.Thread(target=self.client.watch, args=(self.newest.take, self.newest.lost))
        views = Deployments(
            self.newest, self.client.ask, Access(tokens, ["box1.plant"]), Turns(threads), delivered=delivered
        )
        app = create_app(Board(), version="1", documents=DOCUMENTS, deployments=views)
        self.http = HttpServer(app, "127.0.0.1", 0, threads=threads)
        self.http.start()

    def start_delivery(self):
        self.control.start()
        self.control.tell(self.handler.document())
        self.watching.start()
        until(lambda: self.newest.now().document, "the document", 10)
        return self

    def close(self):
        self.newest.close()
        self.handler.hold.set()
        self.http.stop(5)
        self.client.close()
        if self.watching.ident is not None:
            self.watching.join(10)
        self.control.stop()

    def ask(self, method, path, body=None, *, timeout_s=20, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if method != "GET":
            named.setdefault("Content-Type", "application/json")
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.http.port, timeout=timeout_s)
        with contextlib.closing(connection):
            connection.request(method, path, raw, {"Connection": "close", **named})
            return Answer(connection.getresponse())

    def changed(self, **facts):
        self.handler.ways[0] = replace(self.handler.ways[0], **facts)
        self.control.tell(self.handler.document())
