"""The verdict path of the running line, against a bare loop over the same model in the same run.

    python tests/benchmarks/bench_line.py [--parts 2000] [--rate 20] [--model FOLDER]

The whole line's process runs as in service (camera, station, deadline, Manager, outbox on disk, the gateway beside
it, a broker). Before and after it a bare loop calls the same model at the same rate in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from appliance.app import App
from appliance.config import load_config
from appliance.demo.broker import Broker
from appliance.inspection import Plan
from appliance.models import newest_loader
from appliance.scheduling import enter_real_time, put_the_line_first
from appliance.serving import ServableId

REPOSITORY = Path(__file__).parents[2]
EMBEDDED = REPOSITORY / "appliance" / "demo_model"

CONFIG = """
[station]
name = "bench"
state_folder = "{state}"
log_level = "warning"
[cameras.top]
recipe = "bench"
takt_ms = {takt_ms}
[cameras.top.camera]
driver = "virtual"
seed = 7
[recipes.bench]
model = "bench"
deadline_ms = {deadline_ms}
[models.bench]
base_path = "{model}"
[mqtt]
host = "127.0.0.1"
port = {port}
base_topic = "bench/site/area/line/box"
[http]
port = 0
[serving]
grpc_port = 0
rest_port = 0
"""


class MeasuredApp(App):
    """The line as it is, which also writes down when each verdict was known and when it was on disk."""

    def __init__(self, config, config_file, parts):
        super().__init__(config, config_file, parts=parts)
        self.results = []
        self.committed = {}

    def _record(self, camera, result):
        self.results.append(result)
        super()._record(camera, result)

    def _recorded(self, messages):
        for message in messages:
            self.committed[message.sequence] = message.committed_ns
        super()._recorded(messages)


def run_line(config_file: Path, parts: int) -> dict:
    app = MeasuredApp(load_config(config_file), config_file, parts)
    preprocess = []
    build = app._lines.build

    def observed():
        build()
        for line in app._lines.cameras.values():
            line._station._observe = partial(both, line.tally.observe)

    def both(observe, stage, value_ms):
        if stage == "preprocess":
            preprocess.append(value_ms)
        observe(stage, value_ms)

    app._lines.build = observed
    code = app.run()
    judged = [result for result in app.results if result.model is not None]
    first = min(app.committed)
    return {
        "code": code,
        "parts": len(app.results),
        "undefined": len(app.results) - len(judged),
        "late": sum(not result.deadline_met for result in app.results),
        "call_ms": [result.times.inference_ms for result in judged],
        "path_ms": [result.times.total_ms - result.times.acquisition_ms for result in judged],
        "total_ms": [result.times.total_ms for result in app.results],
        "preprocess_ms": preprocess,
        "durable_ms": [
            (app.committed[first + n] - result.verdict_ns) / 1e6
            for n, result in enumerate(app.results)
            if first + n in app.committed
        ],
    }


def run_bare(config_file: Path, calls: int, period_s: float) -> dict:
    """The model call and the resize alone, paced as the line is, with nothing beside them."""
    import cv2

    from camera import make_camera

    cv2.setNumThreads(1)
    put_the_line_first()  # as the line has it
    enter_real_time("station")
    config = load_config(config_file)
    _, _, loader = newest_loader(config, "bench", config.station.state_folder / "prepared")
    model = loader.load(ServableId("bench", 1))
    plan = Plan(config.recipes["bench"], model)
    camera = make_camera(config.cameras["top"].camera)
    camera.open()
    camera.start()
    camera.trigger()
    frame = camera.read(2.0)
    camera.close()
    call_ms, resize_ms = [], []
    due = time.perf_counter()
    for _ in range(calls):
        due += period_s
        time.sleep(max(0.0, due - time.perf_counter()))
        begun = time.perf_counter_ns()
        batch = plan.preprocessor.apply(frame)
        called = time.perf_counter_ns()
        plan.infer(model, batch)
        done = time.perf_counter_ns()
        call_ms.append((done - called) / 1e6)
        resize_ms.append((called - begun) / 1e6)
    return {"call_ms": call_ms, "resize_ms": resize_ms, "engine": model.engine}


def figures(values: Sequence[float]) -> str:
    p50, p99, p999 = np.percentile(values, [50, 99, 99.9])
    return f"{p50:9.3f} {p99:9.3f} {p999:9.3f} {max(values):9.3f}"


def ratio(values: Sequence[float]) -> float:
    return float(np.percentile(values, 99.9) / np.percentile(values, 50))


def in_child(what: str, config_file: Path, *numbers: object) -> dict:
    """Each measurement in a fresh process, so that none inherits another's threads or memory."""
    output = config_file.with_name(f"{what}.json")
    command = [sys.executable, __file__, "--child", what, str(config_file), str(output), *map(str, numbers)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONWARNINGS": "default"})
    return json.loads(output.read_text())


def child(arguments: list[str]) -> None:
    what, config_file, output, *numbers = arguments
    if what == "line":
        value = run_line(Path(config_file), int(numbers[0]))
    else:
        value = run_bare(Path(config_file), int(numbers[0]), float(numbers[1]))
    Path(output).write_text(json.dumps(value))


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=20.0, help="parts per second")
    parser.add_argument("--model", type=Path, default=EMBEDDED, help="folder of versions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        broker = Broker(folder)
        broker.start()
        try:
            report(options, folder, broker.port)
        finally:
            broker.stop()


def report(options: argparse.Namespace, folder: Path, port: int) -> None:
    config_file = folder / "bench.toml"
    takt_ms = 1000 / options.rate
    config_file.write_text(
        CONFIG.format(
            state=folder / "state",
            takt_ms=takt_ms,
            deadline_ms=min(takt_ms, 100),
            model=options.model.resolve(),
            port=port,
        )
    )
    calls = options.parts
    before = in_child("bare-before", config_file, calls, takt_ms / 1e3)
    line = in_child("line", config_file, calls)
    after = in_child("bare-after", config_file, calls, takt_ms / 1e3)
    bare = {key: before[key] + after[key] for key in ("call_ms", "resize_ms")}
    overhead = [
        path - call - resize
        for path, call, resize in zip(line["path_ms"], line["call_ms"], line["preprocess_ms"], strict=False)
    ]
    print(f"\n{line['parts']} parts at {options.rate:g}/s, engine {before['engine']}, load {os.getloadavg()[0]:.1f}")
    print(f"undefined {line['undefined']}, late {line['late']}")
    print(f"{'ms':<42} {'p50':>9} {'p99':>9} {'p99.9':>9} {'worst':>9}")
    for name, values in (
        ("bare loop: model call", bare["call_ms"]),
        ("bare loop: crop and resize", bare["resize_ms"]),
        ("line: model call", line["call_ms"]),
        ("line: crop and resize", line["preprocess_ms"]),
        ("line: frame handed over → verdict", line["path_ms"]),
        ("line: of that, overhead (≤ 0.5 / ≤ 2)", overhead),
        ("line: verdict → durable (≤ 3 / ≤ 20)", line["durable_ms"]),
        ("line: trigger → verdict", line["total_ms"]),
    ):
        print(f"{name:<42} {figures(values)}")
    ours, theirs = ratio(line["call_ms"]), ratio(bare["call_ms"])
    print(f"steadiness p99.9/p50: line {ours:.2f}, bare {theirs:.2f} → {ours / theirs:.2f} (≤ 1.5)")
    each = [ratio(before["call_ms"]), ratio(after["call_ms"])]
    print(f"  bare before {each[0]:.2f}, bare after {each[1]:.2f}")


if __name__ == "__main__":
    main()
