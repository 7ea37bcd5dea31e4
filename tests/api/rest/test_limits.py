"""Whatever a client sends, the server answers others, and its memory stays where it was."""

import gzip
import http.client
import socket
import threading
from pathlib import Path

import numpy as np
from running import until

from appliance.api.rest.channel import Bodies

MIB = 1 << 20


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / MIB


def head_of(api, head, body=b""):
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as client:
        client.sendall(head + body)
        return b"".join(iter(lambda: client.recv(65536), b""))  # the server closes behind a refusal


def test_a_body_of_two_gigabytes_is_refused_before_it_is_sent(api):
    before = resident_mb()
    answer = head_of(api, b"POST /v1/models/affine:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"error": "Request Entity Too Large: ' in answer
    assert resident_mb() - before < 20


def test_a_body_without_a_length_is_counted_as_it_comes(serve):
    api = serve(body_max_bytes=MIB)
    head = b"POST /v1/models/affine:predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as client:
        client.sendall(head)
        for _ in range(3):
            client.sendall(b"80000\r\n" + b" " * 0x80000 + b"\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_exactly_the_limit_is_taken(serve):
    api = serve(body_max_bytes=1000)
    body = b'{"instances": [2.0]}'
    assert api.predict("affine", body.ljust(1000)).json == {"predictions": [4.0]}
    assert api.predict("affine", body.ljust(1001)).status == 413


def test_a_gzip_bomb_is_refused_at_the_limit(serve):
    api = serve(body_max_bytes=8 * MIB)
    bomb = gzip.compress(b" " * (512 * MIB), 9)
    before = resident_mb()
    answer = api.predict("affine", bomb, Content_Encoding="gzip")
    assert (answer.status, "larger than 8388608 bytes" in answer.error) == (413, True)
    assert resident_mb() - before < 60


def test_a_head_beyond_the_limit_is_refused(api):
    answer = head_of(api, b"GET /v1/models/affine HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 431 ")


def test_a_connection_is_kept_for_the_next_request(api):
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
    connection.connect()
    first = connection.sock
    for _ in range(3):
        connection.request("POST", "/v1/models/affine:predict", b'{"instances": [2.0]}')
        assert connection.getresponse().read() == b'{\n    "predictions": [4.0\n    ]\n}'
        connection.request("GET", "/v1/models/nobody")
        assert connection.getresponse().read()
    assert connection.sock is first
    connection.close()


class Slow:
    """A backend whose borrowing waits for the test."""

    def __init__(self, backend):
        self._backend = backend
        self.asked = threading.Semaphore(0)
        self.go_on = threading.Event()

    def borrow(self, name, version):
        self.asked.release()
        assert self.go_on.wait(30)
        return self._backend.borrow(name, version)

    def __getattr__(self, name):
        return getattr(self._backend, name)


def test_more_requests_than_may_wait_are_told_so_at_once_and_the_others_are_answered(serve, own_models):
    slow = Slow(own_models.backend)
    api = serve(slow, threads=2, queued_max=3)
    answers = []
    clients = [
        threading.Thread(target=lambda: answers.append(api.predict("affine", {"instances": [2.0]}))) for _ in range(5)
    ]
    try:
        for client in clients:
            client.start()
        assert slow.asked.acquire(timeout=10)
        assert slow.asked.acquire(timeout=10)
        until(lambda: len(api.server._http._waitress.task_dispatcher.queue) == 3, "three requests to wait", 10)
        refused = api.predict("affine", {"instances": [2.0]})
        assert (refused.status, "requests wait already" in refused.error) == (429, True)
    finally:
        slow.go_on.set()
        for client in clients:
            client.join(30)
    assert [answer.json for answer in answers] == [{"predictions": [4.0]}] * 5
    assert api.predict("affine", {"instances": [2.0]}).status == 200


def test_bodies_share_a_budget_and_give_it_back(serve):
    api = serve(bodies_max_bytes=3 * MIB, body_max_bytes=3 * MIB)
    body = b'{"instances": [2.0]}'.ljust(2 * MIB)
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as hoarder:
        hoarder.sendall(b"POST /v1/models/affine:predict HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + b" " * 2 * MIB)
        until(lambda: api.server._bodies._free_bytes == MIB, "its part to arrive", 10)
        assert _refused(api, body)
    for _ in range(5):  # it is given back when the answer has gone
        until(lambda: not _refused(api, body), "the budget to be given back", 10)


def _refused(api, body):
    try:
        return api.predict("affine", body).status == 429
    except ConnectionError:
        return True  # told while still sending


def test_a_budget_is_never_overdrawn():
    bodies = Bodies(10)
    assert bodies.take(10)
    assert not bodies.take(1)
    bodies.give_back(10)
    assert bodies.take(10)


def test_large_answers_go_through_memory_whole(api):
    numbers = np.arange(300_000, dtype=np.float32)
    answer = api.predict("echo", b'{"inputs": [' + b",".join(b"%d" % one for one in range(300_000)) + b"]}")
    assert np.array_equal(np.array(answer.json["outputs"], np.float32), numbers)


def test_stopping_finishes_what_is_under_way(serve, own_models):
    slow = Slow(own_models.backend)
    api = serve(slow)
    answers = []
    client = threading.Thread(target=lambda: answers.append(api.predict("affine", {"instances": [2.0]})))
    client.start()
    assert slow.asked.acquire(timeout=10)
    stopper = threading.Thread(target=api.server.stop, args=(10,))
    stopper.start()
    slow.go_on.set()
    stopper.join(20)
    client.join(20)
    assert answers[0].json == {"predictions": [4.0]}
    assert not api.server.running
