"""What TensorFlow Serving lacks: a list, readiness, pictures as bodies, the Open Inference Protocol."""

import json
import struct
import zlib

import cv2
import numpy as np
import pytest

PICTURE = np.random.default_rng(3).integers(0, 255, (48, 64, 3), dtype=np.uint8)  # BGR, as OpenCV has it


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


def test_models_are_listed_with_versions_and_labels(api):
    listed = {one["name"]: one for one in api.ask("GET", "/models").json["models"]}
    assert [(one["version"], one["state"]) for one in listed["affine"]["versions"]] == [
        (2, "AVAILABLE"),
        (1, "AVAILABLE"),
    ]
    assert listed["affine"]["labels"] == {"stable": 1}
    assert [one["name"] for one in api.ask("GET", "/models/echo").json["models"]] == ["echo"]
    assert api.ask("GET", "/models/nobody").status == 404
    assert api.ask("POST", "/models").status == 405


def test_readiness(api):
    assert (api.ask("GET", "/readyz").status, api.ask("GET", "/readyz/affine").json) == (
        200,
        {"ready": True, "not_ready": []},
    )
    assert api.ask("GET", "/readyz/nobody").status == 404


def test_what_is_not_there_is_not_found(api):
    for path in ("/", "/v1", "/v2/models/affine", "/favicon.ico"):
        assert api.ask("GET", path).status == 404
        assert b"<TITLE>404 Not Found</TITLE>" in api.ask("GET", path).body


def test_a_model_that_takes_pixels_gets_rgb_in_its_size(api):
    answer = api.predict("bytes", png(PICTURE), Content_Type="image/png")
    rgb = cv2.cvtColor(cv2.resize(PICTURE, (8, 8), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    assert np.array_equal(answer.json["predictions"], rgb[None])
    jpeg = cv2.imencode(".jpg", np.full((300, 200, 3), (0, 0, 255), np.uint8))[1].tobytes()
    mean = api.predict("size", jpeg, Content_Type="image/jpeg").json["predictions"][0]
    assert mean[0] > 250
    assert max(mean[1:]) < 5


def test_a_model_that_says_how_its_picture_is_made_gets_it_so(api):
    answer = api.predict("said", png(PICTURE), Content_Type="image/png")
    small = cv2.resize(PICTURE, (32, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    assert np.allclose(answer.json["predictions"], small[None] * 0.5 - 1.0)


def test_a_model_that_takes_a_file_gets_the_file(api):
    file = png(PICTURE)
    assert api.predict("file", file, Content_Type="image/png").json == {"predictions": [len(file)]}


def test_json_is_json_whatever_its_content_type_says(api):
    assert api.predict("affine", {"instances": [2.0]}, Content_Type="image/png").json == {"predictions": [4.0]}


def bomb(width, height):
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize(
    ("name", "body", "error"),
    [
        ("size", bomb(30_000, 30_000), "30000 x 30000 pixels"),
        ("size", png(PICTURE)[:-40], "The picture cannot be read"),
        ("two", png(PICTURE), "takes 2 inputs"),
        ("affine", png(PICTURE), "and no picture"),
    ],
)
def test_pictures_that_cannot_be_are_refused(api, name, body, error):
    answer = api.predict(name, body, Content_Type="image/png")
    assert (answer.status, error in answer.error) == (400, True), answer.body


@pytest.fixture
def v2(serve):
    return serve(open_inference=True)


def test_open_inference_tells_of_itself_and_its_models(v2):
    assert v2.ask("GET", "/v2").json["extensions"] == ["binary_tensor_data"]
    assert v2.ask("GET", "/v2/health/live").status == v2.ask("GET", "/v2/health/ready").status == 200
    assert v2.ask("GET", "/v2/models/affine/ready").json == {"name": "affine", "ready": True}
    about = v2.ask("GET", "/v2/models/two").json
    assert about["inputs"][0] == {"name": "a", "datatype": "FP32", "shape": [-1, 2]}
    assert v2.ask("GET", "/v2/models/nobody").status == 404
    assert v2.ask("GET", "/v2/models/affine/infer").status == 405
    assert v2.ask("GET", "/v2/what").status == 404


@pytest.mark.parametrize("data", [[[1, 2], [3, 4.5]], [1, 2, 3, 4.5]])
def test_open_inference_takes_data_flat_and_nested(v2, data):
    request = {
        "id": "7",
        "inputs": [
            {"name": "a", "datatype": "FP32", "shape": [2, 2], "data": data},
            {"name": "b", "datatype": "INT32", "shape": [2], "data": [10, 20]},
        ],
        "outputs": [{"name": "sum"}],
    }
    answer = v2.ask("POST", "/v2/models/two/versions/1/infer", request)
    assert answer.json == {
        "model_name": "two",
        "model_version": "1",
        "id": "7",
        "outputs": [{"name": "sum", "datatype": "FP32", "shape": [2], "data": [13.0, 27.5]}],
    }


def test_open_inference_takes_and_gives_bytes_behind_the_json(v2):
    content = np.array([1.5, -2.0], "<f4").tobytes()
    head = json.dumps(
        {
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    answer = v2.ask("POST", "/v2/models/echo/infer", head + content, Inference_Header_Content_Length=str(len(head)))
    size = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.body[:size])["outputs"][0]["parameters"] == {"binary_data_size": 8}
    assert answer.body[size:] == content


def test_open_inference_carries_strings_both_ways(v2):
    words = [b"plain", b"\xff\x00"]
    content = b"".join(struct.pack("<I", len(one)) + one for one in words)
    one = {"name": "x", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(content)}}
    head = json.dumps({"inputs": [one], "outputs": [{"name": "y", "parameters": {"binary_data": True}}]}).encode()
    answer = v2.ask("POST", "/v2/models/words/infer", head + content, Inference_Header_Content_Length=str(len(head)))
    assert answer.body.endswith(content)
    one = {"name": "x", "datatype": "BYTES", "shape": [1], "data": ["/wA="], "parameters": {"content_type": "base64"}}
    asked = {"inputs": [one], "outputs": [{"name": "y"}]}
    assert v2.ask("POST", "/v2/models/words/infer", asked).json["outputs"][0]["data"] == ["/wA="]


@pytest.mark.parametrize(
    ("one", "error"),
    [
        ({"name": "x", "datatype": "FP32", "shape": [3], "data": [1.0]}, "has 1 elements"),
        ({"name": "x", "datatype": "FP32", "shape": [2**40, 2**40], "data": [1.0]}, "no usable shape"),
        ({"name": "x", "datatype": "FP32", "shape": [2**62], "data": [1.0]}, "has 1 elements"),
        ({"name": "x", "datatype": "FP33", "shape": [1], "data": [1.0]}, "datatype"),
        ({"name": "z", "datatype": "FP32", "shape": [1], "data": [1.0]}, "There is no input 'z'"),
        ({"name": "x", "datatype": "INT32", "shape": [1], "data": [1]}, "int32"),
        ({"name": "x", "datatype": "FP32", "shape": [1]}, "no data"),
        ({"name": "x", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 9}}, "0 bytes are left"),
        ({"datatype": "FP32"}, "no name"),
    ],
)
def test_open_inference_says_what_is_wrong(v2, one, error):
    answer = v2.ask("POST", "/v2/models/echo/infer", {"inputs": [one]})
    assert (answer.status, error in answer.error) == (400, True), answer.body
