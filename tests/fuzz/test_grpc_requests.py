"""Whatever comes by gRPC gets a status that is not our fault, and the server goes on."""

import os

import grpc
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from appliance.protos import message, pool

_LOOSE = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="FUZZ_EXAMPLES" not in os.environ,
)
_REFUSALS = {
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "OUT_OF_RANGE",
    "RESOURCE_EXHAUSTED",
    "UNIMPLEMENTED",
}


def _methods():
    for service in ("tensorflow.serving.PredictionService", "inference.GRPCInferenceService"):
        for method in pool().FindServiceByName(service).methods:
            yield f"/{service}/{method.name}", method.input_type.full_name
    yield "/tensorflow.serving.ModelService/GetModelStatus", "tensorflow.serving.GetModelStatusRequest"


_METHODS = list(_methods())
_DTYPES = some.sampled_from((0, 1, 2, 3, 4, 7, 9, 10, 14, 17, 19, 20, 21, 23, 30, 101, 127))
_SIZES = some.sampled_from((-1, 0, 1, 2, 3, 1 << 20, 1 << 31, 1 << 33, (1 << 63) - 1, -(1 << 63)))


@some.composite
def _predict(draw):
    """A Predict request whose tensors are anything that the message allows."""
    request = message("tensorflow.serving.PredictRequest")()
    request.model_spec.name = draw(some.sampled_from(("two", "counter", "", "nobody")))
    request.model_spec.signature_name = draw(some.sampled_from(("", "serving_default", "incr_counter_by", "nope")))
    if draw(some.booleans()):
        request.model_spec.version.value = draw(some.sampled_from((1, 0, -1, (1 << 63) - 1)))
    for alias in draw(some.lists(some.sampled_from(("x", "delta", "", "ü")), max_size=2)):
        tensor = request.inputs[alias]
        tensor.dtype = draw(_DTYPES)
        for size in draw(some.lists(_SIZES, max_size=4)):
            tensor.tensor_shape.dim.add(size=size)
        tensor.tensor_shape.unknown_rank = draw(some.booleans())
        tensor.tensor_content = draw(some.binary(max_size=16))
        tensor.float_val.extend(draw(some.lists(some.floats(width=32), max_size=3)))
        tensor.string_val.extend(draw(some.lists(some.binary(max_size=5), max_size=2)))
        tensor.int_val.extend(draw(some.lists(some.integers(-(1 << 31), (1 << 31) - 1), max_size=2)))
    request.output_filter.extend(draw(some.lists(some.sampled_from(("y", "output", "nope")), max_size=2)))
    return request.SerializeToString()


def _code(target, method, content):
    with grpc.insecure_channel(target.grpc) as channel:
        call = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        try:
            call(content, timeout=20)
        except grpc.RpcError as error:
            return error.code().name, error.details()
    return "OK", ""


@_LOOSE
@given(content=_predict())
def test_tensors_that_the_message_allows_and_nobody_should_send(content, target):
    code, text = _code(target, "/tensorflow.serving.PredictionService/Predict", content)
    assert code in _REFUSALS, (code, text)


@pytest.mark.parametrize(("method", "kind"), _METHODS, ids=[method.rpartition("/")[2] for method, _ in _METHODS])
def test_bytes_of_all_kinds(method, kind, target):
    @settings(_LOOSE, max_examples=max(10, _LOOSE.max_examples // 4))
    @given(content=some.binary(max_size=120))
    def send(content):
        code, text = _code(target, method, content)
        try:
            message(kind).FromString(content)
        except DecodeError:
            assert code in {"INTERNAL", "INVALID_ARGUMENT"}, (code, text)
        else:
            assert code in _REFUSALS, (code, text)

    send()


def test_the_server_is_well_after_all_that(target):
    assert target.is_well()
