"""Small messages that claim to be large ones are refused, in memory that does not depend on what they claim."""

import gzip
import http.client
import socket

import grpc
import pytest

from appliance.protos import message

_MIB = 1 << 20
_ROOM = 160 * _MIB
"""More than any body here has bytes, and much less than any of them claims."""


@pytest.fixture
def in_bounded_memory(target):
    """What happens in the test takes no more than that, and the server is well afterwards."""
    before = target.forget_peak()
    yield
    grown = target.peak_bytes() - before
    assert target.is_well()
    assert grown < _ROOM, f"{grown / _MIB:.0f} MiB more"


def _post(target, body, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", target.server.rest_port, timeout=60)
    connection.request("POST", "/v1/models/two:predict", body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize("opened", [b"[", b'{"x":', b'[{"x":'])
def test_ten_megabytes_of_opened_brackets(opened, target, in_bounded_memory):
    body = b'{"instances": ' + opened * (10 * _MIB // len(opened))
    status, text = _post(target, body)
    assert status == 400, text[:300]
    assert len(text) < 5000


def test_a_body_that_is_announced_and_never_comes(target, in_bounded_memory):
    with socket.create_connection(("127.0.0.1", target.server.rest_port), timeout=20) as client:
        head = "POST /v1/models/two:predict HTTP/1.1\r\nHost: box\r\nContent-Length: 2147483648\r\n\r\n"
        client.sendall(head.encode())
        answer = client.recv(4096)
    assert answer.split()[1] in {b"400", b"413"}, answer


def test_a_gigabyte_of_zeros_in_a_megabyte_of_gzip(target, in_bounded_memory):
    body = gzip.compress(b" " * _MIB, 9) * 1000
    status, text = _post(target, body, **{"Content-Encoding": "gzip"})
    assert status in {400, 413}, text[:300]


def test_a_chunked_body_without_an_end(target, in_bounded_memory):
    with socket.create_connection(("127.0.0.1", target.server.rest_port), timeout=20) as client:
        client.sendall(b"POST /v1/models/two:predict HTTP/1.1\r\nHost: box\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"7fffffff\r\n" + b"[" * 1000)


def _predict(target, dtype, sizes, **values):
    request = message("tensorflow.serving.PredictRequest")()
    request.model_spec.name = "two"
    tensor = request.inputs["x"]
    tensor.dtype = dtype
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    for name, value in values.items():
        getattr(tensor, name).extend(value)
    with grpc.insecure_channel(target.grpc) as channel:
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=lambda sent: sent.SerializeToString(),
            response_deserializer=bytes,
        )
        try:
            call(request, timeout=30)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


@pytest.mark.parametrize(
    "sizes",
    [(1 << 40,), (1 << 31, 1 << 31), (1 << 62, 4), ((1 << 63) - 1, (1 << 63) - 1), (1 << 20, 1 << 20, 1 << 20, 1 << 4)],
)
@pytest.mark.parametrize("values", [{}, {"float_val": [1.0]}], ids=["zeros", "one value for all"])
def test_a_shape_that_nobody_has_memory_for(sizes, values, target, in_bounded_memory):
    assert _predict(target, 1, sizes, **values) in {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}


def test_a_shape_that_claims_strings_without_end(target, in_bounded_memory):
    assert _predict(target, 7, (1 << 36,), string_val=[b"a"]) in {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}


def test_a_message_longer_than_any_may_be(target, in_bounded_memory):
    """gRPC's own frame says two gigabytes; it is refused by its length."""
    with socket.create_connection(("127.0.0.1", target.server.grpc_port), timeout=20) as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        client.sendall(b"\x7f\xff\xff\x00\x00\x00\x00\x00\x01" + b"\x00" * 1000)
