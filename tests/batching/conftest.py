"""A pool of batch threads that ends with its test, and models that run."""

import threading

import numpy as np
import pytest

from appliance.batching import Batcher, BatchingParameters
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import describe
from appliance.runtimes.opening import open_model
from appliance.runtimes.prepared import Prepared

LIMIT_S = 30
LONG_US = 60_000_000


class Half:
    """`0.5 * x + 2`, which notes what it was given; its first run waits at `gate`, where a test sets one."""

    def __init__(self, gate=None):
        self.gate = gate
        self.began = threading.Event()
        self.batches = []

    def __call__(self, inputs):
        self.batches.append({alias: array.copy() for alias, array in inputs.items()})
        self.began.set()
        if self.gate is not None:
            assert self.gate.wait(LIMIT_S)
        return {"y": inputs["x"] * np.float32(0.5) + np.float32(2)}

    @property
    def sizes(self):
        return [len(batch["x"]) for batch in self.batches]


class Asking:
    """A caller in a thread of its own: `answer` or `error` after done()."""

    def __init__(self, batcher, call, x, *, key="model", **options):
        self.answer = self.error = None

        def ask():
            try:
                inputs = x if isinstance(x, dict) else {"x": np.asarray(x, np.float32)}
                self.answer = batcher.run(key, call, inputs, **options)
            except BaseException as error:
                self.error = error

        self._thread = threading.Thread(target=ask)
        self._thread.start()

    def done(self):
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()
        return self


@pytest.fixture
def batcher():
    """Build one with `batcher(max_batch_size=..., ...)`; one thread, where the test asks for no more."""
    built = []

    def build(observe=None, **parameters):
        parameters.setdefault("num_batch_threads", 1)
        options = {} if observe is None else {"observe": observe}
        built.append(Batcher(BatchingParameters(**parameters), **options))
        return built[-1]

    yield build
    assert [one.stop(LIMIT_S) for one in built] == [True] * len(built)


@pytest.fixture
def opened(tmp_path):
    """Open a SavedModel as it was exported."""
    held = []

    def open_one(folder):
        prepared = Prepared(source_digest="sha256:of-a-test", engine="tensorflow-saved-model", engine_reason="a test's")
        config = RuntimeConfig(cache=tmp_path / "cache", engines=("tensorflow-saved-model",))
        held.append(open_model(folder, describe(folder), prepared, None, config))
        return held[-1]

    yield open_one
    for model in held:
        model.close()
