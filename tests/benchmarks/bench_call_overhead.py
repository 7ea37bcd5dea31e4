"""What a call costs beside the model: y = 0.5 x + 2, where the model itself is nothing.

    python tests/benchmarks/bench_call_overhead.py [--calls 20000]

The ways take turns in slices, so that whatever else the box does falls on all of them. Prints one table.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.model import ENGINES
from appliance.runtimes.tensorflow.model import TensorFlowModel
from appliance.serving import Manager, availability_preserving

SLICES = 20
MORE_THAN_BARE_US = 10.0
PART_OF_USUAL = 0.1
MODEL = """
import sys, tensorflow as tf
class Affine(tf.Module):
    def __init__(self):
        self.factor = tf.Variable(0.5)
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"y": self.factor * x + 2.0}
module = Affine()
tf.saved_model.save(module, sys.argv[1], signatures=module.serve)
"""
X = np.ones((1, 4), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    options = parser.parse_args()
    medians = run(options.calls)
    more, part = outcome(medians)
    print(f"borrow + predict over the bare run: {more:.1f} µs (at most {MORE_THAN_BARE_US:.0f})")
    print(f"borrow + predict over signature(x): {part:.3f} (at most {PART_OF_USUAL})")


@pytest.mark.benchmark
def test_borrowing_and_asking_costs_ten_microseconds_at_most():
    more, part = outcome(run(5_000))
    assert more <= MORE_THAN_BARE_US
    assert part <= PART_OF_USUAL


def outcome(medians: dict[str, float]) -> tuple[float, float]:
    """Of TensorFlow's faster engine: µs more than the bare run, and the part of the usual call."""
    asked = medians["tensorflow-frozen: borrow, predict"]
    return asked - medians["tensorflow-frozen: bare TF_SessionRun"], asked / medians["usual: signature(x)"]


def run(calls: int) -> dict[str, float]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = folder / "model" / "1"
        subprocess.run([sys.executable, "-c", MODEL, str(model)], check=True, capture_output=True)
        ways = {"usual: signature(x)": usual(model)}
        for engine in ENGINES:
            ways |= ways_of(engine, model, RuntimeConfig(cache=folder / "cache", engines=(engine,)), stack)
        times = measure(ways, calls)
    print(f"\n{'µs per call':44s} {'p50':>7s} {'p90':>7s} {'p99':>7s}")
    for name, each in sorted(times.items(), key=lambda item: float(np.median(item[1]))):
        print(f"{name:44s} " + " ".join(f"{value:7.1f}" for value in np.percentile(each, (50, 90, 99))))
    return {name: float(np.median(each)) for name, each in times.items()}


def usual(model: Path) -> Callable[[], object]:
    """As most programs call a SavedModel."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    signature = tf.saved_model.load(str(model)).signatures["serving_default"]

    def call() -> object:
        return signature(x=tf.constant(X))["y"].numpy()

    return call


def ways_of(engine: str, folder: Path, config: RuntimeConfig, stack: ExitStack) -> dict[str, Callable[[], object]]:
    """Borrow and predict as the line's clients do, and what is below that."""
    manager: Manager = Manager(availability_preserving)
    stop = threading.Event()
    threading.Thread(target=manager.run, args=(stop,), daemon=True).start()
    stack.callback(manager.stop, 10)
    stack.callback(stop.set)
    manager.aspire(engine, {1: SavedModelLoader(folder, config)})
    manager.monitor.wait_until_available([engine], 120)
    inputs = {"x": X}
    with manager.borrow(engine) as handle:
        loaded = handle.servable
        if loaded.engine != engine:
            print(f"{engine} was not taken: {loaded.engine_reason}")
            return {}
        bound = loaded.bind()
        np.testing.assert_array_equal(bound(inputs)["y"], X * 0.5 + 2)

        def borrow_and_predict() -> object:
            with manager.borrow(engine) as borrowed:
                return borrowed.servable.predict(inputs)

        ways = {f"{engine}: borrow, predict": borrow_and_predict, f"{engine}: bound call": lambda: bound(inputs)}
        if isinstance(loaded, TensorFlowModel):
            ways[f"{engine}: bare TF_SessionRun"] = bare(loaded)
        return ways


def bare(model: TensorFlowModel) -> Callable[[], None]:
    """TF_SessionRun with everything ready beforehand: what TensorFlow itself costs."""
    call = model.bind()
    for index, _, feed in call._feeds:
        call._fed[index] = feed.fill(X)
    session_run, arguments, fetched, delete = call._run, call._arguments, call._fetched, call._tf.TF_DeleteTensor

    def session_run_alone(_keep: object = call) -> None:
        session_run(*arguments)
        delete(fetched[0])

    return session_run_alone


def measure(ways: dict[str, Callable[[], object]], calls: int) -> dict[str, np.ndarray]:
    for call in ways.values():
        for _ in range(200):
            call()
    size = calls // SLICES
    times = {name: np.empty(size * SLICES) for name in ways}
    for start in range(0, size * SLICES, size):
        for name, call in ways.items():
            kept = times[name]
            for index in range(start, start + size):
                began = time.perf_counter_ns()
                call()
                kept[index] = (time.perf_counter_ns() - began) / 1e3
    return times


if __name__ == "__main__":
    main()
