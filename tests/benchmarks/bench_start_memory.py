"""Start to first verdict with a warm disk cache; memory after 1,000 parts and over 20 swaps.

python tests/benchmarks/bench_start_memory.py [--starts 5] [--parts 1000] [--swaps 20]
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from running import DEMO_MODEL, Appliance, Mosquitto, Subscriber, until


def resident_mb(line: Appliance) -> float:
    assert line.process is not None
    pages = int(Path(f"/proc/{line.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def judging(subscriber: Subscriber) -> int | None:
    """The version that judged last."""
    return next((one["model"]["version"] for one in reversed(subscriber.results) if one["model"]), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--parts", type=int, default=1000)
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--model", type=Path, default=DEMO_MODEL / "1", help="a SavedModel")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        broker = Mosquitto(folder / "broker").start()
        subscriber = Subscriber(broker.port)
        base = folder / "models"
        shutil.copytree(options.model, base / "1")
        line = Appliance(
            folder,
            broker.port,
            camera='driver = "virtual"',
            line="takt_ms = 50",
            recipe="deadline_ms = 50",
            base_path=base,
        )
        try:
            starts(line, subscriber, options.starts)
            memory(line, subscriber, base, options)
        finally:
            line.end()
            subscriber.close()
            broker.stop()


def starts(line: Appliance, subscriber: Subscriber, count: int) -> None:
    """From exec to the first judged part at the subscriber; the first start also prepares the model."""
    took = []
    for _ in range(count + 1):
        first = len(subscriber.results)
        begun = time.monotonic()
        line.start()
        until(lambda first=first: any(r["model"] for r in subscriber.results[first:]), "a verdict", 180)
        took.append(time.monotonic() - begun)
        line.stop()
    again = ", ".join(f"{seconds:.2f}" for seconds in took[1:])
    print(f"start to first verdict: {took[0]:.2f} s with preparing; then {again} s (≤ 6)")


def memory(line: Appliance, subscriber: Subscriber, base: Path, options: argparse.Namespace) -> None:
    line.start()
    first = len(subscriber.results)
    until(lambda: len(subscriber.results) >= first + 100, "100 parts", 180)
    rows = [("100 parts", resident_mb(line))]
    until(lambda: len(subscriber.results) >= first + options.parts, "the parts", options.parts / 20 + 60)
    rows.append((f"{options.parts} parts", resident_mb(line)))
    for swap in range(2, options.swaps + 2):
        shutil.copytree(base / "1", base / "staging")
        (base / "staging" / "assets.extra" / "note.txt").write_text(str(swap))
        (base / "staging").rename(base / str(swap))
        until(lambda swap=swap: judging(subscriber) == swap, f"version {swap}", 120)
        if swap in {2, 6, 11, options.swaps + 1}:
            rows.append((f"{swap - 1} swaps", resident_mb(line)))
    line.stop()
    print("resident memory of the line's process:")
    for what, megabytes in rows:
        print(f"  after {what:<12} {megabytes:8.1f} MB")


if __name__ == "__main__":
    main()
