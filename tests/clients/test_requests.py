"""Python's `requests`, as the REST tutorials use it."""

import base64
import json

import numpy as np
import pytest
import requests


@pytest.fixture
def post(served):
    def ask(path, body):
        headers = {"content-type": "application/json"}
        answer = requests.post(f"{served.rest}/v1/models/{path}", data=json.dumps(body), headers=headers, timeout=20)
        assert answer.headers["content-type"] == "application/json"
        return answer

    return ask


def test_instances_of_an_image_array(post):
    images = np.random.default_rng(1).random((3, 28, 28, 1), np.float32)
    answer = post("dense:predict", {"signature_name": "serving_default", "instances": images.tolist()})
    answer.raise_for_status()
    predictions = json.loads(answer.text)["predictions"]
    sums = images.sum((1, 2, 3))
    np.testing.assert_allclose(predictions, np.stack([sums, -sums], 1), rtol=1e-5)
    assert [int(np.argmax(each)) for each in predictions] == [0, 0, 0]


def test_a_jpeg_in_base64_is_decoded_in_the_graph(post, model_folder):
    encoded = base64.b64encode((model_folder / "red.jpg").read_bytes()).decode("utf-8")
    for instance in ({"b64": encoded}, {"image_bytes": {"b64": encoded}}):
        answer = post("jpeg_colours:predict", {"instances": [instance, instance]})
        answer.raise_for_status()
        assert [np.argmax(each) for each in answer.json()["predictions"]] == [0, 0]


@pytest.mark.parametrize(
    ("path", "y"), [("half_plus", 3.5), ("half_plus/versions/1", 2.5), ("half_plus/labels/stable", 2.5)]
)
def test_versions_and_labels(post, path, y):
    assert post(f"{path}:predict", {"instances": [1.0]}).json() == {"predictions": [y]}


def test_columns(post):
    assert post("half_plus:predict", {"inputs": {"x": [1.0, 2.0]}}).json() == {"outputs": [3.5, 4.0]}


def test_float_examples_are_classified(post):
    results = post("lengths:classify", {"examples": [{"length": 7.0}, {"length": 3.0}]}).json()["results"]
    assert [max(each, key=lambda pair: pair[1])[0] for each in results] == ["long", "short"]


def test_status_and_metadata(served):
    url = f"{served.rest}/v1/models/half_plus"
    status = requests.get(url, timeout=20).json()
    assert [one["version"] for one in status["model_version_status"]] == ["2", "1"]
    assert {one["state"] for one in status["model_version_status"]} == {"AVAILABLE"}
    metadata = requests.get(f"{url}/metadata", timeout=20).json()
    assert (
        metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["x"]["dtype"] == "DT_FLOAT"
    )


def test_one_session_asks_many_times(served):
    with requests.Session() as session:
        for number in range(100):
            answer = session.post(
                f"{served.rest}/v1/models/half_plus:predict", json={"instances": [number]}, timeout=20
            )
            assert answer.json() == {"predictions": [0.5 * number + 3.0]}


def test_errors_are_json(post):
    answer = post("nope:predict", {"instances": [1.0]})
    assert answer.status_code == 404
    assert "Servable not found for request: Latest(nope)" in answer.json()["error"]
    assert post("half_plus:predict", {"instances": ["one"]}).status_code == 400
