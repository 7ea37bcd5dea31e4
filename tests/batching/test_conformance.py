"""Rows taken from TensorFlow Serving's batching tests, where they are at hand beside the checkout."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from batching.conftest import LIMIT_S, Asking, Half

from appliance.batching import Batcher, BatchError, BatchingParameters
from appliance.dataplane.errors import Code, code_of
from appliance.dataplane.local import LocalBorrowed
from appliance.serving import ServableId

SHARED = Path(__file__).parents[2].parent / "shared"
CASES = SHARED / "conformance" / "tfs_core_cases.jsonl"
FIXTURES = SHARED / "conformance" / "tfs_fixtures.json"


def rows():
    if not CASES.exists():
        reason = f"the conformance rows are not at hand: {CASES}"
        return [pytest.param(None, id="batching", marks=pytest.mark.skip(reason=reason))]
    read = [json.loads(line) for line in CASES.read_text().splitlines()]
    return [pytest.param(row, id=row["id"]) for row in read if row["kind"] == "batching"]


def folder_of(name):
    fixture = json.loads(FIXTURES.read_text())["fixtures"][name]
    return SHARED / "data" / fixture["base_path"] / next(iter(fixture["version_dirs"].values()))


def inputs_of(request):
    if "shape" not in request:
        return {alias: np.zeros(shape, np.float32) for alias, shape in request.items()}
    count = int(np.prod(request["shape"]))
    return {"x": np.asarray(request.get("x", range(count)), np.float32).reshape(request["shape"])}


class Counted:
    """A real model's call, and how many rows it was given each time."""

    def __init__(self, model):
        self._model = model
        self.sizes = []

    def __call__(self, inputs):
        self.sizes.append(len(next(iter(inputs.values()))))
        return self._model.run("serving_default", inputs)


def check_error(row, error):
    assert Code[row["expect_code"]] is code_of(error)
    assert row["expect_contains"] in str(error)


def test_every_row_has_a_test():
    assert len(rows()) in {1, 13}


@pytest.mark.parametrize("row", rows())
def test_batching(row, batcher, opened):
    given = dict(row.get("params", {}))
    given["allowed_batch_sizes"] = tuple(given.get("allowed_batch_sizes", ()))
    if "requests" not in row and "expect_contains" in row:
        with pytest.raises(BatchError) as refused:
            BatchingParameters(**given)
        check_error(row, refused.value)
    elif row.get("expect") == "creation fails":
        with pytest.raises(BatchError):
            BatchingParameters(**given)
    elif "requests" not in row:
        run_past_the_queues(batcher(**given), opened)
    elif "timeout_ms" in row["requests"][0]:
        run_late(row, batcher(**given))
    else:
        run_together(row, batcher(**given), opened)


def run_together(row, started: Batcher, opened):
    call = Counted(opened(folder_of(row.get("model", "half_plus_two"))))
    begun = time.monotonic()
    asking = [Asking(started, call, inputs_of(request)) for request in row["requests"]]
    for one, request in zip(asking, row["requests"], strict=True):
        one.done()
        if "expect_code" in row:
            check_error(row, one.error)
        else:
            assert one.error is None
            assert one.answer["y"].shape == tuple(request["expect_shape"])
            np.testing.assert_allclose(one.answer["y"].ravel(), request["expect_y"], rtol=1e-6)
    assert time.monotonic() - begun < 0.9, "a full batch does not wait for its timeout"
    if "expect_executed_batches" in row:
        assert call.sizes == row["expect_executed_batches"]
    limit = row["params"].get("max_execution_batch_size") if "params" in row else None
    assert limit is None or max(call.sizes) <= limit


def run_late(row, started):
    call = Half(gate=threading.Event())
    first = Asking(started, call, np.zeros(started.parameters.max_batch_size))
    assert call.began.wait(LIMIT_S)
    request = row["requests"][0]
    deadline_s = time.monotonic() + request["timeout_ms"] / 1e3
    late = Asking(started, call, inputs_of(request), deadline_s=deadline_s).done()
    assert time.monotonic() >= deadline_s
    check_error(row, late.error)
    call.gate.set()
    assert first.done().error is None
    assert len(call.batches) == 1


def run_past_the_queues(started, opened):
    model = opened(folder_of("two_outputs_badbatch"))
    (key,) = model.signatures
    dtype = model.signatures[key].inputs["x"].dtype
    borrowed = LocalBorrowed(ServableId("two", 1), model, started)
    answer = borrowed.run(key, {"x": np.ones(2, dtype)}, ["a"], deadline_s=time.monotonic() + LIMIT_S)
    assert list(answer) == ["a"]
