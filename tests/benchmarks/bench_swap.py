"""The line at 20 parts a second while version 2 of its model and a ResNet-50 beside it are prepared, loaded, warmed
up and swapped: against an equally long quiet stretch of the same run.

    python tests/benchmarks/bench_swap.py [--stretch-s 60] [--model FOLDER]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from floor import Floor
from running import DEMO_MODEL, Appliance, Mosquitto, Subscriber, until

RESNET = """
import sys, keras
model = keras.applications.ResNet50(weights=None)
model.export(sys.argv[1], verbose=False)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stretch-s", type=float, default=60.0)
    parser.add_argument("--model", type=Path, default=DEMO_MODEL / "1", help="a SavedModel")
    parser.add_argument("--resnet", type=Path, help="a ResNet-50 SavedModel; made where it is left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if options.resnet is None:
            options.resnet = folder / "resnet"
            print("making a ResNet-50 …", flush=True)
            subprocess.run(
                [sys.executable, "-c", RESNET, str(options.resnet)], check=True, capture_output=True, text=True
            )
        broker = Mosquitto(folder / "broker").start()
        try:
            run(options, folder, broker.port)
        finally:
            broker.stop()


def run(options: argparse.Namespace, folder: Path, port: int) -> None:
    base, beside = folder / "models", folder / "beside"
    beside.mkdir()
    shutil.copytree(options.model, base / "1")
    line = Appliance(
        folder,
        port,
        camera='driver = "virtual"\nseed = 7',
        line="takt_ms = 50",
        recipe="deadline_ms = 50",
        base_path=base,
        extra=f'[models.beside]\nbase_path = "{beside}"',
    )
    subscriber = Subscriber(port)
    floor = Floor(folder / "floor.npy")
    try:
        floor.start()
        line.start()
        until(lambda: any(result["model"] for result in subscriber.results), "the first verdict", 180)
        time.sleep(5)
        quiet = stretch(subscriber, options.stretch_s)
        shutil.copytree(base / "1", base / "staging")
        with (base / "staging" / "assets.extra" / "note.txt").open("w") as note:
            note.write("another version")
        shutil.copytree(options.resnet, beside / "staging")
        os.sync()
        begun = time.monotonic()
        (beside / "staging").rename(beside / "1")
        (base / "staging").rename(base / "2")
        first = len(subscriber.results)
        until(lambda: serves(line, "surface", 2) and serves(line, "beside", 1), "both models", 300)
        took = time.monotonic() - begun
        time.sleep(max(0.0, options.stretch_s - took))
        swap = subscriber.results[first:]
        until(lambda: line.stop() == 0, "a clean end")
        report(line, subscriber, quiet, swap, took)
        floor.end()
        compare(floor, quiet, swap)
    finally:
        floor.end()
        subscriber.close()
        line.end()


def stretch(subscriber: Subscriber, length_s: float) -> list[dict]:
    first = len(subscriber.results)
    time.sleep(length_s)
    return subscriber.results[first:]


def serves(line: Appliance, name: str, version: int) -> bool:
    status, body = line.get(f"/v1/models/{name}/versions/{version}")
    return status == 200 and body["model_version_status"][0]["state"] == "AVAILABLE"


def report(line: Appliance, subscriber: Subscriber, quiet: list[dict], swap: list[dict], took: float) -> None:
    every = subscriber.results
    numbers = [result["sequence"] for result in every]
    print(f"\nboth models were prepared, loaded, warm and swapped in {took:.1f} s; load {os.getloadavg()[0]:.1f}")
    print(f"versions that judged: {sorted({r['model']['version'] for r in swap if r['model']})}")
    print(f"parts {len(every)}, missing {numbers[-1] - numbers[0] + 1 - len(set(numbers))}")
    for what, spent in (("trigger → verdict, ms", total), ("frame → verdict, ms", after_frame)):
        print(f"{what:<24} {'parts':>6} {'late':>5} {'undef':>5} {'p50':>8} {'p99':>8} {'worst':>8}")
        for name, results in (("quiet", quiet), ("swap", swap)):
            row(name, results, [spent(result) for result in results])
        worst = [max(map(spent, results)) for results in (swap, quiet)]
        print(f"worst during the swap / worst in the quiet stretch: {worst[0] / worst[1]:.2f} (≤ 1.5)")
    print("the ten worst during the swap: seconds since its begin, reason, milliseconds of each step")
    begun = swap[0]["trigger_id"]
    for result in sorted(swap, key=lambda one: -one["processing_times"]["total_ms"])[:10]:
        print(
            f"  {(result['trigger_id'] - begun) / 20:6.1f} s  {result['reason'] or '':<20} {result['processing_times']}"
        )
    print("\n".join(row for row in line.log().splitlines() if "serving" in row or "slept" in row))


def compare(floor: Floor, quiet: list[dict], swap: list[dict]) -> None:
    """What the machine did to a bare loop with the line's rights, in the same stretches."""
    print(f"{floor.title:<24} {'rounds':>6} {'':>11} {'p50':>8} {'p99':>8} {'worst':>8}")
    worst = []
    for name, results in (("quiet", quiet), ("swap", swap)):
        spent = floor.between(*(exposed_s(results[place]) for place in (0, -1)))
        p50, p99 = np.percentile(spent, [50, 99])
        worst.append(max(spent))
        print(f"{name:<24} {len(spent):>6} {'':>11} {p50:>8.2f} {p99:>8.2f} {max(spent):>8.2f}")
    print(f"worst during the swap / worst in the quiet stretch: {worst[1] / worst[0]:.2f}")


def exposed_s(result: dict) -> float:
    return datetime.fromisoformat(result["exposure_time_utc"]).timestamp()


def total(result: dict) -> float:
    """Drawing the virtual part is in it, six milliseconds of memory traffic that no real camera costs the box."""
    return result["processing_times"]["total_ms"]


def after_frame(result: dict) -> float:
    times = result["processing_times"]
    return times["total_ms"] - (times["acquisition_ms"] or 0.0)


def row(name: str, results: list[dict], spent: list[float]) -> None:
    late = sum(not one["deadline_met"] or one["reason"] == "DEADLINE_EXPIRED" for one in results)
    undefined = sum(one["evaluation"] == "Undefined" for one in results)
    p50, p99 = np.percentile(spent, [50, 99])
    print(f"{name:<24} {len(results):>6} {late:>5} {undefined:>5} {p50:>8.2f} {p99:>8.2f} {max(spent):>8.2f}")


if __name__ == "__main__":
    main()
