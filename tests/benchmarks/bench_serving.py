"""`appliance serve` beside what a Python user would take instead: LitServe, MLServer, BentoML, PyTriton, Flask.

    python tests/benchmarks/bench_serving.py [--only ours litserve ...] [--seconds 2.5] [--swaps 100] [--json FILE]

Each rival is installed once into an environment of its own under ~/.cache/inspection-appliance-benchmarks (1.7 GB each;
$XDG_CACHE_HOME is obeyed). All serve the same two SavedModels on the same machine as the clients, one after the other:
a small CNN, and y = 0.5 x + 2, which is the transport alone. Prints tables, and what was asked for beside them.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bench_serving_swap import swapping
from benchmarks.peers.contenders import CONTENDERS, Contender
from benchmarks.peers.environments import CACHE
from benchmarks.peers.figures import Bars, Point, point
from benchmarks.peers.load import Clients
from benchmarks.peers.models import QUIET, BenchModel, models

from appliance.serving import Manager, ResourceAllocation, ServableId, availability_preserving

COUNTS = (1, 4, 16)
FLOORS = {
    "ours": ("tensorflow-saved-model", 0),
    "ours-all-threads": ("tensorflow-saved-model", -1),
    "ours-frozen": ("tensorflow-frozen", 0),
    "ours-litert": ("litert", 0),
}
"""Engine, and what --tensorflow_intra_op_parallelism says: 0, the default, is the request's own thread."""
ONLY_PICTURES = {"ours-jpeg"}
PARTS = ("servers", "lookup", "swap")


@dataclass
class Measured:
    """Of one contender and one model."""

    start_s: float
    points: dict[int, Point]
    pss_mb: float
    rss_mb: float
    processes: int
    cpu_ms: float
    client_cpu_ms: float
    """Of one request with one client."""
    ended: str


Results = dict[str, dict[str, Measured]]
Floors = dict[str, dict[int, Point]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=float, default=2.5, help="of each point")
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--swapped", choices=("trivial", "cnn"), default="trivial", help="the model of the many swaps")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    bars, kept = run(options)
    bars.print()
    if options.json is not None:
        options.json.write_text(json.dumps(kept, indent=1))


@pytest.mark.benchmark
@pytest.mark.timeout(900)
def test_serving_beside_its_rivals():
    """Only prints: what a machine with neighbours measures decides nothing."""
    names = [contender.name for contender in CONTENDERS]
    bars, _ = run(argparse.Namespace(only=names, parts=PARTS, seconds=2.5, swaps=100, swapped="trivial", json=None))
    bars.print()


def run(options: argparse.Namespace) -> tuple[Bars, dict]:
    begun = time.monotonic()
    made = models()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, clients on the same machine", flush=True)
    bars = Bars()
    clients = Clients(max(COUNTS))
    kept: dict = {}
    try:
        if "servers" in options.parts:
            before = floor(made["cnn"], options)
            results = {"cnn": servers(made["cnn"], options, clients)}
            floors = between(before, floor(made["cnn"], options))
            results["trivial"] = servers(made["trivial"], options, clients)
            judge(bars, results, floors)
            kept |= {"floor": plain(floors), "servers": plain(results)}
        if "lookup" in options.parts:
            kept["lookup_us"] = lookup_us()
            bars.at_most("look a version up and hold it", kept["lookup_us"], 2.0, " µs")
        if "swap" in options.parts:
            kept["swap"] = plain(swapping(made["cnn"], made[options.swapped], options, clients, bars))
    finally:
        clients.close()
    print(f"\n{time.monotonic() - begun:.0f} s, load {os.getloadavg()[0]:.1f}")
    return bars, kept


def floor(model: BenchModel, options: argparse.Namespace) -> Floors:
    """Each engine in a bare loop, with as many threads as there are clients and the server's settings."""
    print(f"\n{'in a bare loop, no server':<44} {'threads':>7} {'rps':>8} {'p50 ms':>8} {'p99 ms':>8}")
    found: Floors = {}
    for name, (engine, intra_op) in FLOORS.items():
        if name not in options.only:
            continue
        command = [sys.executable, str(Path(__file__).parent / "peers" / "in_process.py"), engine, str(intra_op)]
        command += [str(model.base / "1"), str(model.base.parent / f"{model.name}.npz"), str(options.seconds)]
        command += [str(CACHE / "prepared"), *map(str, COUNTS)]
        env = os.environ | QUIET | {"PYTHONPATH": str(Path(__file__).parents[2])}
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env).stdout
        found[name] = {}
        for count, loop in json.loads(said).items():
            took = np.asarray(loop["took_s"]) * 1e3
            p50, p99 = (float(value) for value in np.percentile(took, [50, 99]))
            rps = len(took) / loop["ran_s"]
            found[name][int(count)] = Point(rps, p50, p99, float(took.max()), 0.0, len(took), 0)
            print(f"{name:<16} {engine:<27} {count:>7} {rps:>8.1f} {p50:>8.2f} {p99:>8.2f}", flush=True)
    return found


def between(before: Floors, after: Floors) -> Floors:
    """The machine may have been slower at one end than at the other."""
    return {
        name: {
            count: dataclasses.replace(
                one, rps=(one.rps + after[name][count].rps) / 2, p50_ms=(one.p50_ms + after[name][count].p50_ms) / 2
            )
            for count, one in points.items()
        }
        for name, points in before.items()
    }


def servers(model: BenchModel, options: argparse.Namespace, clients: Clients) -> dict[str, Measured]:
    print(f"\n{model.name}: requests per second, p50 and p99 in ms, of {', '.join(map(str, COUNTS))} clients")
    title = "".join(f" {'rps':>8} {'p50':>7} {'p99':>7}" for _ in COUNTS)
    print(
        f"{'':<50}{title} {'PSS MB':>7} {'RSS MB':>7} {'procs':>5} {'CPU ms':>7} {'client':>7} {'start s':>7}  SIGTERM"
    )
    found = {}
    for contender in CONTENDERS:
        if contender.name not in options.only or (model.name == "trivial" and contender.name in ONLY_PICTURES):
            continue
        label = f"{contender.name:<16} {contender.how}"
        try:
            found[contender.name] = one = measure(contender, model, options.seconds, clients)
        except Exception as error:
            print(f"{label:<50} failed: {str(error).strip()[-300:]}", flush=True)
            continue
        cells = "".join(f" {p.rps:>8.1f} {p.p50_ms:>7.2f} {p.p99_ms:>7.2f}" for p in one.points.values())
        memory = (
            f"{one.pss_mb:>7.0f} {one.rss_mb:>7.0f} {one.processes:>5} {one.cpu_ms:>7.2f} {one.client_cpu_ms:>7.2f}"
        )
        errors = sum(p.errors for p in one.points.values())
        print(f"{label:<50}{cells} {memory} {one.start_s:>7.1f}  {one.ended}", flush=True)
        if errors:
            print(f"{'':<50} {errors} requests failed", flush=True)
    return found


def measure(contender: Contender, model: BenchModel, seconds: float, clients: Clients) -> Measured:
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        if contender.is_ours:
            prepare(contender, model, Path(scratch))
        folder = Path(scratch) / "run"
        folder.mkdir()
        running = contender.build(model, folder)
        try:
            start_s = running.start()
            spent_s = running.server.cpu_s()
            alone = clients.run(running.job, 1, seconds)
            spent_s = running.server.cpu_s() - spent_s
            points = {1: point(alone)}
            points |= {count: point(clients.run(running.job, count, seconds)) for count in COUNTS[1:]}
            pss_mb, rss_mb = running.server.memory_mb()
            processes = len(running.server.tree())
            answered = max(1, points[1].count)
            ended = running.server.terminate(running.check)
        finally:
            running.server.end()
    return Measured(
        start_s, points, pss_mb, rss_mb, processes, spent_s * 1e3 / answered, alone[0].cpu_s * 1e3 / answered, ended
    )


def prepare(contender: Contender, model: BenchModel, scratch: Path) -> None:
    """What a faster engine makes of a version is made once, and kept: not what a start costs."""
    mark = CACHE / "prepared" / f"{contender.name}-{model.name}.done"
    if mark.exists():
        return
    folder = scratch / "prepare"
    folder.mkdir()
    running = contender.build(model, folder)
    try:
        running.start()
    finally:
        running.server.end()
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def judge(bars: Bars, results: Results, floors: Floors) -> None:
    cnn, trivial = results["cnn"], results["trivial"]
    peers = [contender.name for contender in CONTENDERS if contender.counts and not contender.is_ours]
    rps = {name: cnn[name].points[4].rps for name in peers if name in cnn}
    for name in ("ours", "ours-all-threads"):
        if name in cnn and name in floors:
            ratio = cnn[name].points[4].rps / floors[name][4].rps
            bars.at_least(f"CNN, 4 clients, {name} / its bare loop", ratio, 0.9)
    for name, bar in (("ours", 2.5), ("ours-all-threads", 2.5), ("ours-litert", 8.0)):
        if name in cnn and rps:
            best = max(rps, key=rps.__getitem__)
            bars.at_least(f"CNN, 4 clients, {name} / the best peer ({best})", cnn[name].points[4].rps / rps[best], bar)
    if "ours" in cnn and "flask-signature" in cnn:
        ratio = cnn["ours"].points[4].rps / cnn["flask-signature"].points[4].rps
        bars.at_least("  beyond what was asked: the same / flask-signature", ratio, 1.0)
    p50 = {name: trivial[name].points[1].p50_ms for name in peers if name in trivial}
    if "ours" in trivial and p50:
        best = min(p50, key=p50.__getitem__)
        bars.at_most(
            f"trivial, 1 client, p50 / the best peer's ({best})", trivial["ours"].points[1].p50_ms / p50[best], 0.4
        )
    for name, bar in (("ours-rest", 12.0), ("ours-jpeg", 3.0)):
        if name in cnn and "ours" in floors:
            beyond = cnn[name].points[1].p50_ms - floors["ours"][1].p50_ms
            bars.at_most(f"CNN, 1 client, {name} beyond its bare loop, p50", beyond, bar, " ms")
    if "ours" in cnn:
        bars.at_most("start to the first answer", cnn["ours"].start_s, 4.0, " s")
        for what in ("rss_mb", "pss_mb"):
            memory = {name: getattr(cnn[name], what) for name in peers if name in cnn}
            if memory:
                least = min(memory, key=memory.__getitem__)
                title = f"{what[:3].upper()} / the smallest peer's ({least})"
                bars.at_most(title, getattr(cnn["ours"], what) / memory[least], 0.75)


class _Nothing:
    """Loads and is what is loaded: only the looking up is measured."""

    def estimate_resources(self) -> ResourceAllocation:
        return ResourceAllocation({})

    def load(self, _id: ServableId) -> object:
        return self

    def unload(self) -> None:
        pass


def lookup_us() -> float:
    """The median of looking the latest version up, holding it, and letting it go."""
    manager: Manager = Manager(availability_preserving)
    manager.aspire("model", {1: _Nothing()})
    manager.step()
    manager.monitor.wait_until_available(["model"], 10)
    took = []
    for _ in range(200):
        begun = time.perf_counter_ns()
        for _ in range(100):
            with manager.borrow("model"):
                pass
        took.append((time.perf_counter_ns() - begun) / 100e3)
    manager.stop(5)
    return float(np.median(took))


def plain(value: object) -> object:
    """As JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


if __name__ == "__main__":
    main()
