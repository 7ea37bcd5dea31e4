import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from appliance.api.errors import ApiError
from appliance.api.server import CONNECTIONS_MAX, REQUEST_MAX_BYTES, HttpServer


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def get(port, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.fixture
def serve():
    started = []

    def serve(app=hello, port=0, threads=2):
        server = HttpServer(app, "127.0.0.1", port, threads=threads)
        started.append(server)
        server.start()
        return server

    yield serve
    for server in started:
        server.stop(2)


def test_a_free_port_is_found_and_named(serve):
    server = serve()
    assert server.port > 0
    assert server.running
    assert get(server.port) == b"hello"


def test_a_taken_port_is_an_error_that_says_what_to_do(serve):
    taken = serve().port
    with pytest.raises(ApiError) as caught:
        HttpServer(hello, "127.0.0.1", taken)
    sentence = str(caught.value)
    assert sentence.startswith(f"HTTP cannot be answered on 127.0.0.1 port {taken}: another program has it")
    assert "http.port" in sentence
    assert "ss -ltnp" in sentence


def test_an_address_that_is_not_ours_is_an_error_that_says_what_to_do():
    with pytest.raises(ApiError, match=r"this box has no such address; set http\.host"):
        HttpServer(hello, "192.0.2.1", 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody, who may not take port 80")
def test_a_port_that_needs_more_rights_is_an_error_that_says_what_to_do():
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        pytest.skip("this kernel lets everybody take port 80")
    code = (
        "import os; from appliance.api.server import HttpServer, ApiError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: HttpServer(None, '127.0.0.1', 80)\n"
        "except ApiError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True).stdout
    assert "ports below 1024 need more rights" in told


def test_a_stopped_server_frees_its_port_and_another_can_take_it_at_once(serve):
    first = serve()
    assert get(first.port) == b"hello"
    first.stop(2)
    assert not first.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first.port), timeout=5)
    assert get(serve(port=first.port).port) == b"hello"


def test_a_server_that_was_never_started_can_be_stopped():
    server = HttpServer(hello, "127.0.0.1", 0)
    server.stop(1)
    server.stop(1)


def test_stopping_takes_no_time_when_there_is_nothing_to_finish(serve):
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as idle:
        get(server.port)
        begin = time.monotonic()
        server.stop(5)
        assert time.monotonic() - begin < 2
        assert idle.recv(1) == b""


def test_stopping_lets_an_answer_under_way_be_finished_and_takes_no_new_ones(serve):
    asked, go_on = threading.Event(), threading.Event()
    size = 12_000_000

    def slow(environ, start_response):
        asked.set()
        assert go_on.wait(10)
        start_response("200 OK", [("Content-Length", str(size))])
        return [b"x" * size]

    server = serve(slow)
    with socket.socket() as client, socket.socket() as late:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)  # so that it cannot all be sent at once
        client.settimeout(10)
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert asked.wait(10)
        stopper = threading.Thread(target=server.stop, args=(10,))
        stopper.start()
        wait_until(lambda: not server._waitress.accepting)
        late.settimeout(10)
        late.connect(("127.0.0.1", server.port))
        late.sendall(b"GET / HTTP/1.0\r\n\r\n")
        go_on.set()
        received = b"".join(iter(lambda: client.recv(65536), b""))
        stopper.join(15)
        with pytest.raises(ConnectionResetError):
            late.recv(1)
    assert received.partition(b"\r\n\r\n")[2] == b"x" * size


def test_stopping_ends_in_time_when_an_answer_does_not_come(serve):
    asked, go_on = threading.Event(), threading.Event()

    def stuck(environ, start_response):
        asked.set()
        go_on.wait(20)
        start_response("200 OK", [])
        return []

    server = serve(stuck)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert asked.wait(10)
        begin = time.monotonic()
        server.stop(0.5)
        assert time.monotonic() - begin < 3
        go_on.set()
    wait_until(lambda: not [one for one in threading.enumerate() if one.name.startswith("waitress")])


def wait_until(holds, limit_s=10):
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def test_slow_clients_do_not_keep_others_waiting(serve):
    server = serve(threads=2)
    slow = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(20)]
    try:
        for number, client in enumerate(slow):
            if number % 2:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")  # a head that never ends
            else:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nfirst bytes")  # nor this body
        begin = time.monotonic()
        for _ in range(20):
            assert get(server.port) == b"hello"
        assert time.monotonic() - begin < 5
    finally:
        for client in slow:
            client.close()


def test_a_client_that_does_not_read_holds_no_thread(serve):
    size = 4_000_000

    def big_or_small(environ, start_response):
        body = b"x" * size if environ["PATH_INFO"] == "/big" else b"hello"
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    server = serve(big_or_small, threads=2)
    greedy = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(6)]
    try:
        for client in greedy:
            client.sendall(b"GET /big HTTP/1.0\r\n\r\n")
        for _ in range(10):
            assert get(server.port) == b"hello"
    finally:
        for client in greedy:
            client.close()


def test_more_connections_than_the_limit_wait_and_are_served_when_others_go(serve):
    server = serve()
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(CONNECTIONS_MAX)]
    answered = threading.Event()
    late = threading.Thread(target=lambda: (get(server.port), answered.set()))
    try:
        late.start()
        assert not answered.wait(0.5)
        for client in idle:
            client.close()
        assert answered.wait(10)
    finally:
        for client in idle:
            client.close()
        late.join(15)


def test_a_client_that_says_nothing_is_let_go():
    server = HttpServer(hello, "127.0.0.1", 0, idle_max_s=0.1)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\n")
            assert client.recv(1) == b""
    finally:
        server.stop(2)


def test_a_body_beyond_the_limit_is_refused(serve):
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(f"POST / HTTP/1.0\r\nContent-Length: {REQUEST_MAX_BYTES + 1}\r\n\r\n".encode())
        assert b" 413 " in client.recv(4096)


def test_a_head_beyond_the_limit_is_refused(serve):
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.0\r\nX: " + b"x" * 20_000 + b"\r\n\r\n")
        assert b" 431 " in client.recv(4096)


def test_ipv6_is_served_where_the_box_has_it():
    try:
        server = HttpServer(hello, "::1", 0)
    except ApiError as error:
        pytest.skip(str(error))
    server.start()
    try:
        with socket.create_connection(("::1", server.port), timeout=5) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.0 200")
    finally:
        server.stop(2)
