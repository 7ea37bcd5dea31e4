"""The control socket, both ends of it real: requests, documents, and peers that misbehave."""

import json
import os
import socket
import stat
import threading

import pytest
from running import until
from steering.boxes import Handler, deployment, document

from appliance.errors import ApplianceError
from appliance.steering import client as client_module
from appliance.steering import server as server_module
from appliance.steering import wire
from appliance.steering.client import ControlClient
from appliance.steering.errors import SocketFailed
from appliance.steering.requests import Request, Verb
from appliance.steering.server import CONNECTIONS_MAX, ControlServer


@pytest.fixture
def handler():
    return Handler(deployment())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "control.sock"


@pytest.fixture
def server(path, handler):
    server = ControlServer(path, handler)
    server.start()
    yield server
    handler.hold.set()
    server.stop()


@pytest.fixture
def ask(path):
    client = ControlClient(path)
    return lambda verb, model=None, timeout_s=10.0, **body: client.ask(
        Request(verb, model, body, who="anna", source="test"), timeout_s
    )


class Watch:
    """A watching client on its own thread; what it was told, and what it lost."""

    def __init__(self, path):
        self.told, self.lost = [], []
        self.client = ControlClient(path)
        self.thread = threading.Thread(target=self.client.watch, args=(self.told.append, self.lost.append))
        self.thread.start()

    def close(self):
        self.client.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def watch(path):
    made = []

    def start():
        made.append(Watch(path))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_a_request_reaches_the_handler_as_it_was_asked_and_its_answer_comes_back(server, handler, ask):
    answer = ask(Verb.CREATE, "surface", tag="stable", force=True)
    assert answer.status == 202
    assert answer.body["model"] == "surface"
    [asked] = handler.asked
    assert (asked.verb, asked.model, asked.body) == (Verb.CREATE, "surface", {"tag": "stable", "force": True})
    assert (asked.who, asked.source) == ("anna", "test")


def test_a_path_longer_than_the_kernel_takes_for_a_socket_works(tmp_path, handler):
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)
    server = ControlServer(deep / "control.sock", handler)
    server.start()
    assert ControlClient(deep / "control.sock").ask(Request(Verb.OVERVIEW), 10).status == 200
    server.stop()
    assert list(deep.iterdir()) == []


def test_the_socket_is_for_its_user_and_group_only(server, path):
    status = path.stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o660


def test_what_another_life_left_is_replaced_and_only_our_own_is_taken_away(path, handler):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    first, second = ControlServer(path, handler), ControlServer(path, handler)
    first.start()
    second.start()
    first.stop()
    assert ControlClient(path).ask(Request(Verb.OVERVIEW), 10).status == 200, "the second one's name is still there"
    second.stop()
    assert not path.exists()


def test_a_file_in_its_place_is_not_overwritten(path, handler):
    path.write_text("mine")
    with pytest.raises(SocketFailed, match=r"something else at .*take it away"):
        ControlServer(path, handler).start()
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path, handler):
    with pytest.raises(SocketFailed, match=r"control socket .*cannot be opened \(No such file"):
        ControlServer(tmp_path / "no" / "control.sock", handler).start()


def test_a_watcher_gets_the_newest_at_once_and_each_new_one(server, watch):
    server.tell(document(at="first"))
    one = watch()
    until(lambda: one.told, "the document", 10)
    server.tell(document(at="second"))
    until(lambda: len(one.told) == 2, "the second", 10)
    assert [told["at"] for told in one.told] == ["first", "second"]


def test_a_watcher_comes_back_when_the_delivery_process_does(path, handler, watch):
    one = watch()
    until(lambda: one.lost, "the word that it is away", 10)
    assert "delivery process is away" in one.lost[0]
    for name in ("first life", "second life"):
        server = ControlServer(path, handler)
        server.start()
        server.tell(document(at=name))
        until(lambda name=name: one.told and one.told[-1]["at"] == name, name, 10)
        before = len(one.lost)
        server.stop()
        until(lambda before=before: len(one.lost) > before, "the loss", 10)


def test_away_is_an_answer(ask):
    answer = ask(Verb.LOOK)
    assert answer.status == 503
    assert answer.body["error"].startswith("The delivery process is away")


def test_a_handler_that_hangs_is_an_answer(server, handler, ask):
    handler.hold.clear()
    answer = ask(Verb.LOOK, timeout_s=0.2)
    assert answer.status == 503
    assert "gave no answer within 0.2 s" in answer.body["error"]


def test_the_handler_is_never_called_twice_at_once(server, handler, path):
    handler.hold.clear()
    threads = [threading.Thread(target=ControlClient(path).ask, args=(Request(Verb.OVERVIEW), 10)) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(server._serving) == 4 and handler.asked, "all of them", 10)
    threading.Event().wait(0.1)  # those that were not held back would have come to the handler meanwhile
    handler.hold.set()
    for thread in threads:
        thread.join(10)
    assert len(handler.asked) == 4
    assert handler.together_most == 1


@pytest.mark.parametrize(
    ("raised", "status", "says"),
    [(ApplianceError("The disk is full."), 503, "The disk is full."), (KeyError("x"), 500, "fault of the software")],
)
def test_what_a_handler_raises_is_an_answer_and_the_next_request_is_served(
    server, handler, ask, raised, status, says, caplog
):
    handler.raises = raised
    answer = ask(Verb.OVERVIEW)
    assert (answer.status, says in answer.body["error"]) == (status, True)
    handler.raises = None
    assert ask(Verb.OVERVIEW).status == 200
    assert ("KeyError" in caplog.text) == (status == 500)


def test_a_request_that_means_nothing_is_422_and_does_not_reach_the_handler(server, handler, path):
    for line in (
        b"[]",
        b'{"verb": "explode"}',
        b'{"verb": "pin"}',
        b'{"verb": "create", "model": "surface", "body": []}',
    ):
        answer = raw(path, line + b"\n")
        assert (answer["status"], "error" in answer["body"]) == (422, True), line
    assert handler.asked == []


@pytest.mark.parametrize("line", [b"not json\n", b"[" * 60_000 + b"\n", b"x" * 70_000])
def test_nonsense_ends_its_own_connection_only(server, ask, path, line):
    assert raw(path, line) is None
    assert ask(Verb.OVERVIEW).status == 200


def test_a_peer_that_says_nothing_is_hung_up_on(server, path, monkeypatch):
    monkeypatch.setattr(server_module, "_SLOW_S", 0.1)
    assert raw(path, b"") is None


def test_a_watcher_that_takes_nothing_is_dropped_and_delays_nobody(server, path, watch, ask, monkeypatch):
    monkeypatch.setattr(server_module, "_SLOW_S", 0.2)
    slow = wire.connect(path, 5)
    wire.send(slow, {"watch": True}, 5)
    quick = watch()
    big = document(at="big") | {"pad": "x" * 3_000_000}
    server.tell(big)
    until(lambda: quick.told, "the quick watcher's document", 10)
    assert ask(Verb.OVERVIEW).status == 200
    until(lambda: len(server._serving) == 1, "the slow one to be dropped", 10)
    slow.close()


def test_a_watcher_that_left_is_noticed(server, path, monkeypatch):
    monkeypatch.setattr(server_module, "_LOOK_S", 0.02)
    gone = wire.connect(path, 5)
    wire.send(gone, {"watch": True}, 5)
    until(lambda: server._serving, "the watcher", 10)
    gone.close()
    until(lambda: not server._serving, "the watcher to be gone", 10)


def test_more_peers_than_it_serves_are_told_so(server, path):
    peers = [wire.connect(path, 5) for _ in range(CONNECTIONS_MAX)]
    until(lambda: len(server._serving) == CONNECTIONS_MAX, "all of them", 10)
    answer = raw(path, b"")
    assert answer["status"] == 503
    assert "try again" in answer["body"]["error"]
    for peer in peers:
        peer.close()


def test_another_local_user_is_who_the_kernel_says(server, handler, ask, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12_345_678)  # so that we are another one than the server
    ask(Verb.LOOK)
    assert handler.asked[0].who.startswith("user ")
    assert handler.asked[0].source == "control socket"


def test_an_answer_that_is_none_is_said(path, monkeypatch):
    listening, identity = wire.listen(path)

    def answer_once():
        peer, _ = listening.accept()
        with peer:
            peer.recv(1000)
            peer.sendall(b'{"something": "else"}\n')

    thread = threading.Thread(target=answer_once)
    thread.start()
    answer = ControlClient(path).ask(Request(Verb.OVERVIEW), 10)
    thread.join(10)
    listening.close()
    wire.remove(path, identity)
    assert (answer.status, answer.body["error"]) == (503, "The delivery process' answer cannot be read.")
    assert client_module.AWAY not in answer.body["error"]


def raw(path, sent):
    """The answer to bytes of our own; None where the connection was ended without one."""
    with wire.connect(path, 10) as peer:
        try:
            if sent:
                peer.sendall(sent)
            received = b""
            while more := peer.recv(65_536):
                received += more
        except ConnectionError:
            return None
    return json.loads(received) if received else None
