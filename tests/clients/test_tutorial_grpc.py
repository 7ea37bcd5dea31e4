"""tensorflow-serving-api's own stubs, used as the tutorials use them, in a process that knows nothing of us."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).with_name("tutorial_grpc.py")


@pytest.fixture(scope="module")
def heard(served, model_folder):
    """What the client printed; it ran once."""
    arguments = [served.server, str(model_folder / "red.jpg"), str(served.config_file)]
    done = subprocess.run(
        [sys.executable, str(CLIENT), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=model_folder,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_an_image_array_is_answered_in_output_0(heard):
    assert heard["predict_image"] == {"version": 1, "values": [784.0, -784.0], "array": [[784.0, -784.0]]}


def test_jpeg_bytes_are_decoded_in_the_graph(heard):
    assert heard["predict_jpeg"] == [0]


def test_fifty_requests_under_way_at_once(heard):
    assert heard["predict_many_at_once"] == 50


def test_examples_are_classified(heard):
    assert heard["classify"] == ["long", "short"]


def test_metadata_unpacks_into_signatures(heard):
    assert heard["metadata"] == {
        "inputs": {"keras_tensor": [-1, 28, 28, 1]},
        "outputs": ["output_0"],
        "dtype": True,
    }


def test_status_says_available(heard):
    assert heard["status"] == [[2, True, 0], [1, True, 0]]


def test_a_reload_is_taken(heard):
    assert heard["reload"] == 0


def test_who_asks_for_a_model_that_is_not_there_reads_what_it_matches_on(heard):
    assert heard["unknown"] == ["NOT_FOUND", "Servable not found for request: Latest(nope)"]
