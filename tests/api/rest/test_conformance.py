"""The cases taken from TensorFlow Serving's tests and sources, run by their own runner over real HTTP."""

import subprocess
import sys

import pytest

RUNNER = "tfs_rest_runner.py"


@pytest.mark.parametrize("flags", ["", "cors,monitoring"])
def test_every_case_of_every_tier_is_answered_as_tensorflow_serving_answers_it(fixtures, serve, flags):
    from_conftest = pytest.importorskip("pathlib").Path(__file__).resolve().parents[4] / "shared" / "conformance"
    api = serve(
        fixtures.backend,
        cors="cors" in flags,
        prometheus_path="/monitoring/prometheus/metrics" if "monitoring" in flags else None,
    )
    done = subprocess.run(
        [sys.executable, from_conftest / RUNNER, api.url, "--tier", "must,exact,quirk", "--flags", flags, "-v"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
