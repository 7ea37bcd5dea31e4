"""A model's whole way onto a line at 30 parts a second, and back: what the line, the disk and the network feel of it.

    python tests/benchmarks/bench_delivery.py [--stretch-s 60]

A quiet stretch; then a model is pushed, downloaded, verified, examined, shadowed, swapped in; then one that
disappoints, and is rolled back. Latencies are trigger to verdict. Memory is PSS: each process' share of what it maps.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from delivery.publisher import Publisher
from laptop import Laptop, settings
from registry_server import Registry
from running import Appliance, Mosquitto, Subscriber, until

from appliance.registry.package.inventory import verify_folder
from appliance.registry.package.keys import read_public_key
from appliance.registry.package.statement import read_statement
from appliance.registry.store.store import Store

TAKT_MS, DEADLINE_MS = 33, 33
ENDS = {"success", "failed", "rejected", "rolled_back", "rollback_failed"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stretch-s", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        verify_100_mb(folder / "verify")
        activate(folder / "store")
        broker = Mosquitto(folder / "broker").start()
        try:
            with Registry(folder / "registry") as registry:
                run(options, folder, broker.port, Laptop(folder / "laptop", registry), registry)
        finally:
            broker.stop()


def verify_100_mb(folder: Path) -> None:
    """Every byte, every name, both signatures, the op scan; against one plain SHA-256 of the same bytes."""
    import hashlib

    publisher = Publisher(folder)

    def grow(place: Path) -> None:
        (place / "assets").mkdir()
        (place / "assets" / "weights.bin").write_bytes(os.urandom(100_000_000))

    package = publisher.package(1, change=grow)
    keys = [read_public_key(publisher.public_key)]
    statement, _ = read_statement((package / "release.json").read_bytes(), keys)
    took, plain = [], []
    for _ in range(5):
        begun = time.perf_counter()
        verify_folder(package, statement, keys)
        took.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        hashlib.sha256((package / "assets" / "weights.bin").read_bytes()).hexdigest()
        plain.append(time.perf_counter() - begun)
    print(
        f"verify 100 MB: {min(took):.3f} s, worst {max(took):.3f} (asked 0.5); one read and SHA-256: {min(plain):.3f} s"
    )
    shutil.rmtree(folder)


def activate(folder: Path) -> None:
    """The pointer on the disk, with and without what makes it last over a power cut."""
    publisher = Publisher(folder / "publisher")
    store = Store(folder / "store", 0)
    store.open()
    from delivery.rig import DEMO_MODEL

    from appliance.runtimes.digest import digest_of

    store.adopt_factory(DEMO_MODEL / "1", 1, digest_of(DEMO_MODEL / "1"))
    package = publisher.package(1)
    statement, _ = read_statement((package / "release.json").read_bytes(), [read_public_key(publisher.public_key)])
    from appliance.registry.package.inventory import hash_files, list_folder

    files = hash_files(package, list_folder(package))
    for file in files:
        store.put_bytes((package / file.path).read_bytes())
    store.stage(1, files)
    store.publish(1, 2, statement.digest)
    renames, wholes = [], []
    for number in range(40):
        begun = time.perf_counter()
        renamed: list[float] = []
        store.activate(1 - number % 2, after_rename=lambda renamed=renamed: renamed.append(time.perf_counter()))
        wholes.append(time.perf_counter() - begun)
        renames.append(renamed[0] - begun)
    ms = [f"{1e3 * value:.2f}" for value in (np.median(renames), max(renames), np.median(wholes), max(wholes))]
    print(f"`current` renamed: median {ms[0]} ms, worst {ms[1]}; with its fsyncs {ms[2]}, worst {ms[3]}")
    store.close()


def run(options: argparse.Namespace, folder: Path, port: int, laptop: Laptop, registry: Registry) -> None:
    box = Appliance(
        folder,
        port,
        camera='driver = "virtual"\nseed = 7',
        line=f"takt_ms = {TAKT_MS}",
        recipe=f"deadline_ms = {DEADLINE_MS}",
        extra=settings(laptop, shadow_parts=300, probation_parts=300),
    )
    subscriber = Subscriber(port)
    watch = Watch(box)
    try:
        box.start()
        until(lambda: any(result["model"] for result in subscriber.results), "the first verdict", 180)
        time.sleep(5)
        quiet_from = now()
        memory_before = memory(box.process.pid)
        time.sleep(options.stretch_s)
        quiet_to = now()
        watch.start()
        good, bad = laptop.trained(2), laptop.trained(3, good_min=0.92)
        laptop.deploy(good, 2)
        until(lambda: over(subscriber, 1), "release 1 to end", 300)
        laptop.deploy(bad, 3)
        until(lambda: over(subscriber, 2), "release 2 to end", 300)
        time.sleep(10)
        memory_after = memory(box.process.pid)
        _, document = box.get("/deployments")
        _, audit = box.get("/deployments/audit?limit=500")
        watch.stop()
        assert box.stop() == 0
    finally:
        watch.stop()
        box.end()
        subscriber.close()
    report(subscriber.results, (quiet_from, quiet_to), document, audit["entries"])
    shown = {name: round(value / 1e6, 1) for name, value in memory_before.items()}
    print(f"\nPSS before, MB: {shown}, in all {sum(memory_before.values()) / 1e6:.1f}")
    most = watch.most
    print(f"PSS at its most while a candidate was examined: { ({k: round(v / 1e6, 1) for k, v in most.items()}) }")
    candidate = sum(value for name, value in most.items() if "examiner" in name)
    print(
        f"in all {sum(most.values()) / 1e6:.1f}; line before {sum(memory_before.values()) / 1e6:.1f} + candidate "
        f"{candidate / 1e6:.1f} = {(sum(memory_before.values()) + candidate) / 1e6:.1f} (asked: at most 1.1 of it); "
        f"after: {sum(memory_after.values()) / 1e6:.1f}"
    )
    polls = [line for line in registry.requests() if "HEAD" in line]
    print(f"looks at the registry: {len(polls)}")


def over(subscriber: Subscriber, release: int) -> dict | None:
    told = json.loads(subscriber.latest.get("deployment", b"{}"))
    return told if told.get("release") == release and told.get("state") in ENDS else None


def report(results: list[dict], quiet: tuple, document: dict, audit: list[dict]) -> None:
    ways = {one["release"]: one for one in document["deployments"] if one["release"]}
    begun = moment(ways[1]["created"])
    ended = moment(ways[2]["since"])
    groups = {
        "quiet": [one for one in results if quiet[0] <= when(one) < quiet[1]],
        "download, examination, shadow, swap, rollback": [one for one in results if begun <= when(one) <= ended],
    }
    worst = {}
    for name, chosen in groups.items():
        took = [one["processing_times"]["total_ms"] for one in chosen]
        late = sum(not one["deadline_met"] for one in chosen)
        sequences = [one["sequence"] for one in chosen]
        lost = sequences[-1] - sequences[0] + 1 - len(sequences)
        worst[name] = max(took)
        p50, p99 = np.percentile(took, [50, 99])
        print(
            f"{name}: {len(chosen)} parts, {lost} lost, {late} late; "
            f"p50 {p50:.1f}, p99 {p99:.1f}, worst {max(took):.1f} ms"
        )
    quiet_worst, busy_worst = worst.values()
    print(f"worst of the delivery / worst quiet: {busy_worst / quiet_worst:.2f} (asked 1.5)")
    for release in (1, 2):
        way = ways[release]
        probation = way["reports"].get("probation", {})
        print(
            f"release {release}: {way['state']} ({way['reason']}); {way['bytes_total']:,} bytes, "
            f"{way['bytes_fetched']:,} fetched; pointer moved in {probation.get('swap_ms')} ms"
        )
    decided = next(moment(entry["at"]) for entry in audit if entry.get("state") == "rolling_back")
    versions = [(when(one), one["model"]["version"]) for one in results if one["model"]]
    first_old = min(at for at, version in versions if version == 2 and at > decided)
    print(
        f"rolled back because: {ways[2]['detail']}\nfrom that decision to the first verdict by the release before: "
        f"{(first_old - decided).total_seconds() * 1e3:.0f} ms (asked 50; parts come every {TAKT_MS})"
    )


class Watch:
    """Looks at the processes' memory four times a second."""

    def __init__(self, box: Appliance) -> None:
        self._box = box
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.most: dict[str, int] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.25):
            seen = memory(self._box.process.pid)
            is_shadow = any("examiner" in name for name in seen) and not any("prepare" in name for name in seen)
            if is_shadow and sum(seen.values()) > sum(self.most.values()):
                self.most = seen


def memory(pid: int) -> dict[str, int]:
    """PSS in bytes by what each process of the appliance is."""
    found: dict[str, int] = {}
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            command = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
            pss = next(line for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines() if "Pss:" in line)
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, StopIteration):
            continue
        module = command[command.index(b"-m") + 1].decode() if b"-m" in command else command[0].decode()
        name = module if module not in found else f"{module} {one}"
        found[name] = int(pss.split()[1]) * 1024
    return found


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def now() -> datetime:
    return datetime.now(timezone.utc)


def when(result: dict) -> datetime:
    """The verdict's moment, about: a result says when it was exposed, and how long it took."""
    return moment(result["exposure_time_utc"]) + timedelta(milliseconds=result["processing_times"]["total_ms"])


if __name__ == "__main__":
    main()
