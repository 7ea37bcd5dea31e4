"""What is sent arrives; what is no message ends the connection and takes no memory."""

import json
import os
import socket
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from appliance.lending import Connection, Limits, WireError
from appliance.lending.arena import Arena
from appliance.lending.call import Call
from appliance.lending.wire import size_of

BODY_MAX = 1 << 20


def fresh(size):
    return np.empty(size, np.uint8)


@pytest.fixture
def ends():
    pair = socket.socketpair()
    yield pair
    for one in pair:
        one.close()


@pytest.fixture
def wire(ends):
    """A sender and a receiver."""
    sender, receiver = (Connection(one, fresh, head_max=10_000, limits=Limits(BODY_MAX, 100)) for one in ends)
    return sender, receiver


def sent(wire, head, tensors):
    """What the other side receives."""
    sender, receiver = wire
    thread = threading.Thread(target=sender.send, args=(head, tensors))
    thread.start()
    received = receiver.receive()
    thread.join(10)
    return received


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array(7, np.int64),
        np.empty((0, 5), np.float64),
        np.array([True, False]),
        np.array([1 + 2j], np.complex128),
        np.array([1.5, -2], np.float16),
        np.arange(6, dtype=">i4"),
        np.arange(20, dtype=np.uint8).reshape(4, 5)[:, ::2],
        np.random.default_rng(1).integers(0, 255, (300, 1000), np.uint8),
        np.random.default_rng(1).normal(size=(400, 500))[:, ::2],
        np.array([[b"", b"a\0b"], [b"text", b"x" * 5000]], dtype=object),
        np.array([b"abc", b"d"]),
        np.empty(0, object),
        np.array(b"alone", dtype=object),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_a_tensor_arrives_as_it_was(wire, array):
    head, tensors = sent(wire, {"what": "ever"}, {"x": array, "y": np.ones(3, np.float32)})
    assert head == {"what": "ever"}
    arrived = tensors["x"]
    assert arrived.shape == array.shape
    assert arrived.tolist() == array.tolist()
    assert arrived.dtype.name == ("object" if array.dtype.kind in "OS" else array.dtype.name)
    assert tensors["y"].tolist() == [1, 1, 1]


def test_size_of_is_what_travels(wire):
    tensors = {"a": np.ones(5, np.float32), "s": np.array([b"abc", b""], dtype=object), "e": np.empty(0, np.int8)}
    asked = []
    receiver = Connection(
        wire[1]._socket, lambda size: asked.append(size) or fresh(size), head_max=999, limits=Limits(999)
    )
    wire[0].send({}, tensors)
    assert receiver.receive() is not None
    assert asked == [size_of(tensors.values())]


def test_the_end_is_no_error(wire):
    wire[0].close()
    assert wire[1].receive() is None


def message(head, body=b"", *, mark=b"LEND", head_bytes=None, body_bytes=None):
    raw = head if isinstance(head, bytes) else json.dumps(head).encode()
    announced = len(raw) if head_bytes is None else head_bytes
    return struct.pack("<4sIQ", mark, announced, len(body) if body_bytes is None else body_bytes) + raw + body


def tensor(dtype, shape, size, body):
    return message({"tensors": [["x", dtype, shape, size]]}, body)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: line\r\n\r\n",
        message({"tensors": []}, mark=b"LENT"),
        message({"tensors": []}, head_bytes=1 << 31),
        message({"tensors": []}, body_bytes=1 << 62),
        message({"tensors": []}, b"x" * 64),
        message({"tensors": []}, head_bytes=500),
        message(b"{" * 5000),
        message(b"[" * 9000),
        message(b"[]"),
        message({}),
        message({"tensors": 5}),
        message({"tensors": [["x"]]}),
        tensor("float32", [4], 16, b"short".ljust(32)),
        tensor("float32", [3], 64, bytes(64)),
        tensor("float32", [-16], 64, bytes(64)),
        tensor("float32", [True, 16], 64, bytes(64)),
        tensor("float32", [2**40, 2**40], 64, bytes(64)),
        tensor("float32", [1] * 60 + [16], 64, bytes(64)),
        tensor("V64", [1], 64, bytes(64)),
        tensor("no such type", [16], 64, bytes(64)),
        tensor("float32", [16], -64, bytes(64)),
        tensor("float32", "16", 64, bytes(64)),
        tensor("object", [1000], 64, bytes(64)),
        tensor("object", [1], 64, struct.pack("<I", 2**32 - 1).ljust(64)),
        tensor("object", [0], 64, bytes(64)),
        tensor("object", [101], 404, bytes(448)),
        tensor("float32", [10**18, 0], 0, b""),
    ],
)
def test_what_is_no_message_is_refused_before_room_is_made(ends, raw):
    asked = []
    receiver = Connection(
        ends[1], lambda size: asked.append(size) or fresh(size), head_max=10_000, limits=Limits(BODY_MAX, 100)
    )
    ends[0].sendall(raw)
    ends[0].shutdown(socket.SHUT_WR)
    try:
        received = receiver.receive()
    except WireError:
        pass
    else:  # an empty tensor may have any other size
        assert received[1]["x"].size == 0
    assert all(size <= BODY_MAX for size in asked)


def test_random_bytes_never_do_anything_but_end_the_connection():
    generator = np.random.default_rng(5)
    good = message(
        {"op": 1, "tensors": [["x", "float32", [16], 64], ["s", "object", [1], 6]]}, bytes(64) + b"\2\0\0\0hi".ljust(64)
    )
    for _ in range(500):
        damaged = bytearray(good)
        for place in generator.integers(0, len(good), 3):
            damaged[place] = generator.integers(0, 256)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(bytes(damaged[: generator.integers(1, len(good) + 1)]))
            ours.shutdown(socket.SHUT_WR)
            receiver = Connection(theirs, fresh, head_max=10_000, limits=Limits(BODY_MAX, 100))
            try:
                received = receiver.receive()
            except WireError:
                continue
            assert received is not None


def test_an_arena_gives_a_large_message_s_memory_back():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    arena = Arena(64 << 20)
    before = resident()
    arena.room(60 << 20)[:] = 1
    assert resident() - before > 50 << 20
    arena.trim()
    assert resident() - before < 10 << 20
    assert arena.room(1 << 20)[:].any(), "the part that stays is kept for the next"


GOOD = {"name": "m", "version": 1, "digest": "d", "signatures": ["s"], "outputs": None, "deadline_s": 1.5}


@pytest.mark.parametrize(
    "change",
    [
        {"name": ["m"]},
        {"version": "1"},
        {"version": True},
        {"digest": None},
        {"signatures": []},
        {"signatures": "s"},
        {"signatures": [[]]},
        {"outputs": [1]},
        {"deadline_s": "soon"},
        {"together": 1},
        {"more": 1},
    ],
)
def test_a_request_of_another_kind_is_no_request(change):
    assert Call.from_json(GOOD).as_json() == {**GOOD, "together": False}
    with pytest.raises(WireError):
        Call.from_json({**GOOD, **change})


@pytest.mark.parametrize("missing", GOOD)
def test_a_request_that_lacks_something_is_no_request(missing):
    with pytest.raises(WireError):
        Call.from_json({key: value for key, value in GOOD.items() if key != missing})
