"""The demo's model, asked by sixteen callers at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from batching.conftest import LIMIT_S
from running import DEMO_MODEL

from appliance.dataplane.local import LocalBorrowed
from appliance.serving import ServableId

CALLERS = 16


class Counting:
    """A model, and how many rows each run of it had."""

    def __init__(self, model):
        self._model = model
        self.sizes = []

    def __getattr__(self, name):
        return getattr(self._model, name)

    def run(self, signature, inputs, outputs=None):
        self.sizes.append(len(inputs["image"]))
        return self._model.run(signature, inputs, outputs)


def test_sixteen_callers_get_what_each_would_have_got_alone(batcher, opened):
    model = opened(DEMO_MODEL / "1")
    images = np.random.default_rng(4).integers(0, 256, (CALLERS, 1, 500, 650, 1)).astype("uint8")
    alone = [model.run("serving_default", {"image": image})["scores"] for image in images]
    counting = Counting(model)
    borrowed = LocalBorrowed(
        ServableId("surface", 1),
        counting,
        batcher(max_batch_size=8, batch_timeout_micros=2000, num_batch_threads=2, allowed_batch_sizes=(1, 2, 4, 8)),
    )
    together = threading.Barrier(CALLERS)

    def ask(image):
        together.wait(LIMIT_S)
        return [borrowed.run("serving_default", {"image": image})["scores"] for _ in range(3)]

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(ask, images))
    for expected, given in zip(alone, answers, strict=True):
        for scores in given:
            np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert not np.allclose(alone[0], alone[1], atol=1e-5)
    assert set(counting.sizes) <= {1, 2, 4, 8}
    assert len(counting.sizes) < 3 * CALLERS / 2
