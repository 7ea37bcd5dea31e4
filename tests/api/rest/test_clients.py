"""Clients that people have: requests, and curl as tutorials show it."""

import base64
import json
import shutil
import subprocess

import numpy as np
import pytest
import requests


def test_requests_with_a_picture_as_a_list(api):
    picture = np.random.default_rng(1).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    answer = requests.post(f"{api.url}/v1/models/bytes:predict", json={"instances": [picture.tolist()]}, timeout=30)
    answer.raise_for_status()
    assert np.array_equal(answer.json()["predictions"][0], picture)


def test_requests_with_base64(api):
    encoded = base64.b64encode(b"a picture").decode()
    answer = requests.post(
        f"{api.url}/v1/models/file:predict", data=json.dumps({"instances": [{"b64": encoded}]}), timeout=30
    )
    assert answer.json() == {"predictions": [9]}


@pytest.fixture
def curl():
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")

    def curl(*arguments):
        return subprocess.run(
            [program, "-sS", *arguments], capture_output=True, text=True, timeout=30, check=True
        ).stdout

    return curl


def test_curl_as_the_tutorial_says(api, curl):
    said = curl("-d", '{"instances": [1.0, 2.0, 5.0]}', "-X", "POST", f"{api.url}/v1/models/affine:predict")
    assert json.loads(said) == {"predictions": [3.5, 4.0, 5.5]}


def test_curl_with_a_body_that_it_announces_first(api, curl, tmp_path):
    """Above 1 MB curl says `Expect: 100-continue` and waits."""
    file = tmp_path / "body.json"
    file.write_text(json.dumps({"instances": [[0.25] * 300_000]}))
    said = curl("-H", "Expect: 100-continue", "--data-binary", f"@{file}", f"{api.url}/v1/models/echo:predict")
    assert json.loads(said)["predictions"] == [[0.25] * 300_000]
