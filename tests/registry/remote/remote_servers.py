"""Servers that misbehave on request, on loopback."""

import hashlib
import re
import select
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from appliance.registry.config import DeliveryConfig
from appliance.registry.remote.http import HttpClient

GRAPH = b"graph" * 4000
WEIGHTS = bytes(range(256)) * 12_000
"""3 MB."""
AGENT = "appliance/0.1.0 (test-box)"


def config(**changes: Any) -> DeliveryConfig:
    return DeliveryConfig(**{"timeout_s": 5, "min_rate_kb_s": 0, **changes})


def client(**changes: Any) -> HttpClient:
    return HttpClient(config(**changes), user_agent=AGENT)


@dataclass
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    handler: BaseHTTPRequestHandler = field(repr=False)

    @property
    def range(self) -> tuple[int, int] | None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        return (int(found[1]), int(found[2])) if found else None


Reply = tuple[int, Mapping[str, str], bytes] | None
"""None: the handler wrote its answer itself, to request.handler.wfile."""


class Scripted:
    """Answers as `reply` says, one request after the other on a kept connection; remembers what was asked."""

    def __init__(self, reply: Callable[[Request], Reply], tls: Any = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.ending = threading.Event()
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20
            disable_nagle_algorithm = True

            def setup(self) -> None:
                scripted.connections += 1
                super().setup()

            def answer(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                request = Request(self.command, self.path, headers, body, self)
                scripted.requests.append(request)
                found = reply(request)
                if found is None:
                    self.close_connection = True
                    return
                status, more, content = found
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                if "Content-Length" not in more and "Transfer-Encoding" not in more:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_CONNECT = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                pass  # a client that goes away is what many of these tests are about

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Blobs:
    """A well-behaved reply: files by path, with ranges; counts how often each byte was sent."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.sent: dict[str, list[tuple[int, int]]] = {}

    def __call__(self, request: Request) -> Reply:
        content = self.files.get(request.path)
        if content is None:
            return 404, {}, b""
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag:
            return 304, {"ETag": etag}, b""
        if request.range is None:
            self.note(request, 0, len(content))
            return 200, {"ETag": etag, "Content-Length": str(len(content))}, content
        first, last = request.range
        last = min(last, len(content) - 1)
        if first > last:
            return 416, {"Content-Range": f"bytes */{len(content)}"}, b""
        self.note(request, first, last + 1)
        return 206, {"Content-Range": f"bytes {first}-{last}/{len(content)}", "ETag": etag}, content[first : last + 1]

    def note(self, request: Request, first: int, end: int) -> None:
        if request.method == "GET":
            self.sent.setdefault(request.path, []).append((first, end))


class Link:
    """A TCP link to a server on loopback that loses its connections every `cut_every` bytes of answers.

    `flip`: wherever this comes by in an answer, one bit of it is another.
    """

    def __init__(self, port: int, *, cut_every: int | None = None, flip: bytes | None = None) -> None:
        self._there = port
        self._cut_every = cut_every
        self._flip = flip
        self.cuts = 0
        self.received = 0
        self.sent = 0
        link = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", link._there), 5) as there:
                    link._carry(self.request, there)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._ending = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        answered = 0
        while not self._ending:
            ready, _, _ = select.select([here, there], [], [], 0.05)
            for side in ready:
                data = side.recv(65_536)
                if not data:
                    return
                if side is here:
                    self.sent += len(data)
                    there.sendall(data)
                    continue
                if self._cut_every is not None and answered + len(data) > self._cut_every:
                    data = data[: self._cut_every - answered]
                self.received += len(data)
                if self._flip is not None:
                    data = data.replace(self._flip, bytes([self._flip[0] ^ 1]) + self._flip[1:])
                answered += len(data)
                here.sendall(data)
                if answered == self._cut_every:
                    self.cuts += 1
                    return
