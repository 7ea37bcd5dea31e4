"""NVIDIA's tritonclient asks the box by the Open Inference Protocol, over HTTP and gRPC.

It cannot be installed beside the appliance (it wants protobuf below 7), so it gets an environment of its own in the
user's cache, by name from the package index: about a minute the first time, hence slow.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).with_name("triton_client.py")
PACKAGE = "tritonclient[http,grpc]>=2.50"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inspection-appliance-tests"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def python_with_tritonclient():
    """The interpreter of its environment, which is made where it is not there; skips where it cannot be had."""
    folder = CACHE / f"tritonclient-{sys.version_info[0]}.{sys.version_info[1]}"
    python, complete = folder / "bin" / "python", folder / "installed.txt"
    if complete.is_file() and complete.read_text() == PACKAGE:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1"]
    installed = subprocess.run([*pip, PACKAGE], capture_output=True, text=True, check=False, timeout=500)
    if installed.returncode != 0:
        said = installed.stderr.strip().splitlines()[-1:]
        pytest.skip(f"tritonclient cannot be installed, so nothing was asked by it: {said}")
    complete.write_text(PACKAGE)
    return python


@pytest.fixture(scope="module")
def heard(served, model_folder):
    """What it printed; it ran once."""
    where = [f"127.0.0.1:{served.rest_port}", served.server, str(model_folder / "red.jpg")]
    command = [str(python_with_tritonclient()), str(CLIENT), *where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("way", ["JSON", "HTTP with binary tensors", "gRPC"])
def test_an_open_inference_client_is_served(heard, way):
    said = heard[way]
    assert said["about"] == {
        "live": True,
        "ready": True,
        "model_ready": True,
        "version_ready": True,
        "nope_ready": False,
        "input": ["keras_tensor", "FP32", [-1, 28, 28, 1]],
    }
    assert said["image"] == ["17", [[784.0, -784.0], [784.0, -784.0]]]
    assert said["version"] == [2.5]
    assert "nope" in said["refused"]
    assert said.get("picture", [0]) == [0]
