"""The Open Inference Protocol over a real channel."""

import grpc
import numpy as np
import pytest
from api.rpc.rpc_box import INFERENCE
from dataplane.numpy_model import Function, NumpyModel, half_plus_two

from appliance.protos import message

KINDS = {
    "BOOL": ("bool", "bool_contents", [True, False]),
    "INT8": ("int8", "int_contents", [-128, 127]),
    "INT16": ("int16", "int_contents", [-5, 300]),
    "INT32": ("int32", "int_contents", [-5, 2**31 - 1]),
    "INT64": ("int64", "int64_contents", [-5, 2**62]),
    "UINT8": ("uint8", "uint_contents", [0, 255]),
    "UINT16": ("uint16", "uint_contents", [0, 65535]),
    "UINT32": ("uint32", "uint_contents", [0, 2**32 - 1]),
    "UINT64": ("uint64", "uint64_contents", [0, 2**64 - 1]),
    "FP32": ("float32", "fp32_contents", [1.5, -2.5]),
    "FP64": ("float64", "fp64_contents", [1.5, -2.5]),
    "BYTES": ("object", "bytes_contents", [b"", b"a\0b"]),
}


def echo(dtype):
    return Function(lambda x: {"y": x}, {"x": dtype}, {"y": dtype})


@pytest.fixture
def client(boxes):
    kinds = {name: echo(dtype) for name, (dtype, _, _) in KINDS.items()}
    kinds |= {"FP16": echo("float16"), "COMPLEX": echo("complex64")}
    return boxes({"half": {7: NumpyModel(half_plus_two()), 8: None}, "echo": {1: NumpyModel(kinds)}}).client()


def ask(client, method, request=None, **fields):
    request = message(f"inference.{method}Request")(**fields) if request is None else request
    return client.call(f"{INFERENCE}/{method}", request, f"inference.{method}Response")


def infer_request(datatype, shape, *, key="", name="half", raw=None, **contents):
    request = message("inference.ModelInferRequest")(model_name=name, id="part-7")
    tensor = request.inputs.add(name="x", datatype=datatype, shape=shape)
    if raw is not None:
        request.raw_input_contents.append(raw)
    for field, values in contents.items():
        getattr(tensor.contents, field).extend(values)
    if key:
        request.parameters["signature_name"].string_param = key
    return request


def test_an_answer_names_the_model_the_version_and_the_request(client):
    answer = ask(client, "ModelInfer", infer_request("FP32", [2], fp32_contents=[2, 4]))

    assert (answer.model_name, answer.model_version, answer.id) == ("half", "7", "part-7")
    assert {one.name: list(one.contents.fp32_contents) for one in answer.outputs} == {"y": [3, 4], "twice": [4, 8]}
    assert [(one.datatype, list(one.shape)) for one in answer.outputs] == [("FP32", [2])] * 2
    assert not answer.raw_output_contents


def test_who_sends_raw_bytes_gets_raw_bytes(client):
    request = infer_request("FP32", [2], raw=np.array([2, 4], "float32").tobytes())
    request.outputs.add(name="twice")

    answer = ask(client, "ModelInfer", request)

    assert [one.name for one in answer.outputs] == ["twice"]
    assert np.frombuffer(answer.raw_output_contents[0], "float32").tolist() == [4, 8]


@pytest.mark.parametrize("datatype", KINDS)
def test_every_kind_comes_back_as_it_went(client, datatype):
    _, field, values = KINDS[datatype]

    answer = ask(client, "ModelInfer", infer_request(datatype, [2, 1], name="echo", key=datatype, **{field: values}))

    assert list(getattr(answer.outputs[0].contents, field)) == values
    assert (answer.outputs[0].datatype, list(answer.outputs[0].shape)) == (datatype, [2, 1])


@pytest.mark.parametrize("datatype", [*KINDS, "FP16"])
def test_every_kind_comes_back_raw_as_it_went(client, datatype):
    if datatype == "BYTES":
        raw = b"\0\0\0\0\3\0\0\0a\0b"
    else:
        dtype, _, values = KINDS.get(datatype, ("float16", "", [1.5, 2]))
        raw = np.array(values, dtype).tobytes()

    answer = ask(client, "ModelInfer", infer_request(datatype, [2], name="echo", key=datatype, raw=raw))

    assert list(answer.raw_output_contents) == [raw]


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (infer_request("FP32", [3], fp32_contents=[1]), "has 1 values"),
        (infer_request("FP32", [-1], fp32_contents=[1]), "a shape that no tensor has"),
        (infer_request("FP32", [2**40], fp32_contents=[1]), "has 1 values"),
        (infer_request("FP32", [0, 2**62, 2**62]), "too large"),
        (infer_request("FP32", [2], raw=b"123"), "has 3 bytes; FP32 of [2] has 8"),
        (infer_request("FP32", [1], raw=b"1234", fp32_contents=[1]), "contents beside raw_input_contents"),
        (infer_request("FP16", [1], name="echo", key="FP16"), "FP16 has no contents"),
        (infer_request("INT8", [1], name="echo", key="INT8", int_contents=[300]), "values that INT8 does not hold"),
        (infer_request("BYTES", [1], name="echo", key="BYTES", raw=b"\5\0\0\0abc"), "end within an element"),
        (infer_request("STRING", [1], bytes_contents=[b"a"]), "known are BOOL"),
        (infer_request("INT32", [1], int_contents=[1]), "Expects arg[0] to be float but int32 is provided"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(client, refused, request_, text):
    code, found = refused(ask, client, "ModelInfer", request_)

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text in found


def test_inputs_twice_or_without_their_bytes_are_refused(client, refused):
    twice = infer_request("FP32", [1], fp32_contents=[1])
    twice.inputs.add(name="x", datatype="FP32", shape=[1]).contents.fp32_contents.append(1)
    short = infer_request("FP32", [1], raw=b"1234")
    short.inputs.add(name="z", datatype="FP32", shape=[1])

    assert "there twice" in refused(ask, client, "ModelInfer", twice)[1]
    assert "1 raw_input_contents for 2 inputs" in refused(ask, client, "ModelInfer", short)[1]


def test_a_version_is_a_number_and_the_one_asked_for(client, refused):
    request = infer_request("FP32", [1], fp32_contents=[1])
    request.model_version = "7"
    assert ask(client, "ModelInfer", request).model_version == "7"

    request.model_version = "9"
    assert refused(ask, client, "ModelInfer", request)[0] is grpc.StatusCode.NOT_FOUND
    request.model_version = "newest"
    assert refused(ask, client, "ModelInfer", request) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "'newest' is no version; a version is a number",
    )


def test_live_ready_and_who_answers(client):
    assert ask(client, "ServerLive").live
    assert ask(client, "ServerReady").ready
    assert ask(client, "ModelReady", name="half").ready
    assert ask(client, "ModelReady", name="half", version="7").ready
    assert not ask(client, "ModelReady", name="half", version="8").ready
    assert not ask(client, "ModelReady", name="foo").ready
    assert ask(client, "ServerMetadata").name == "inspection-appliance"


def test_a_server_without_models_is_live_and_not_ready(boxes):
    client = boxes({"half": {8: None}}).client()

    assert ask(client, "ServerLive").live
    assert not ask(client, "ServerReady").ready


def test_metadata_tell_versions_names_and_kinds(client, refused):
    answer = ask(client, "ModelMetadata", name="half")

    assert list(answer.versions) == ["7"]
    assert [(one.name, one.datatype, list(one.shape)) for one in answer.inputs] == [("x", "FP32", [-1])]
    assert [one.name for one in answer.outputs] == ["y", "twice"]
    assert not ask(client, "ModelMetadata", name="echo").inputs
    assert refused(ask, client, "ModelMetadata", name="foo")[0] is grpc.StatusCode.NOT_FOUND
