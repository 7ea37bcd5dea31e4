"""How fast results become durable: saturated with group commit, and one at a time at 50 a second.

    python tests/benchmarks/bench_outbox_store.py [--folder DIR] [--results 60000] [--rate-s 30]

Beside the floor in the same run: a bare append with fdatasync for each message, and SQLite with nothing but the
message in it, in groups as large. Prints what the chain, the numbers and the index cost in time a result.
"""

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest

from appliance.outbox.chain import digest
from appliance.outbox.disk.database import Limits
from appliance.outbox.disk.numbering import Entry, Stream, rows_for
from appliance.outbox.disk.opening import open_database
from appliance.outbox.store import Outbox

GROUP = 500
TARGET_A_S, TARGET_P50_MS, TARGET_P99_MS = 10_000, 3.0, 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured")
    parser.add_argument("--results", type=int, default=60_000)
    parser.add_argument("--rate-s", type=float, default=30.0, help="how long 50 a second are recorded")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        folder = Path(scratch)
        print(f"disk: {disk_of(folder)}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(f"a result is {len(message_bytes())} bytes long on the disk")
        parts_of_a_result()
        for _ in range(3):
            append_and_sync(folder / "log")
            bare_sqlite(folder, options.results)
            saturated(folder, options.results)
            saturated_with_retention(folder, options.results)
        at_fifty(folder, options.rate_s)


@pytest.mark.benchmark
def test_results_become_durable_fast_enough(tmp_path):
    assert saturated(tmp_path, 40_000) >= TARGET_A_S
    p50, p99 = at_fifty(tmp_path, 20.0)
    assert p50 <= TARGET_P50_MS
    assert p99 <= TARGET_P99_MS


def fields(nth: int) -> dict:
    """Like a result of the demonstration."""
    return {
        "schema_version": 1, "result_id": f"01a1fc71-7699-7970-96dd-{nth:012x}", "station": "line3-box1",
        "camera": "top", "part_id": None, "trigger_id": nth, "recipe_id": "housing-a", "job_id": None,
        "config_id": "sha256:c33aff8257ca19db496ca25637315a56e648e9d8bff5341561739d5dff02c7fb",
        "verdict": "fail", "evaluation": "NotOK", "reason": "CLASS_ABOVE_LIMIT", "detail": None,
        "classes": [{"label": "scratch", "score": 0.973}, {"label": "good", "score": 0.021}],
        "regions": None, "views": None,
        "model": {"name": "surface", "version": 7, "digest": "sha256:" + 8 * "2182efbe"},
        "exposure_time_utc": "2026-11-20T20:31:04.120Z", "clock": {"synchronized": True},
        "processing_times": {
            "acquisition_ms": 8.1, "queue_ms": 0.2, "inference_ms": 5.6, "total_ms": 14.4, "frame_age_ms": 9.2,
        },
        "deadline_ms": 100, "deadline_met": True, "image_uri": None, "is_simulated": False, "replayed": False,
    }  # fmt: skip


def message_bytes() -> bytes:
    streams: dict = {("top", "result"): Stream("01a1fb96-4cfa-7464-9340-f1b661e3c47a", 41207, digest(b""))}
    return rows_for(Entry("top", "result", fields(7)), streams, 0)[0][0].payload


def parts_of_a_result() -> None:
    """Processor time of what is done for each, in one thread with nothing else to do."""
    streams: dict = {("top", "result"): Stream("01a1fb96-4cfa-7464-9340-f1b661e3c47a", 41207, digest(b""))}
    entry, payload = Entry("top", "result", fields(7)), message_bytes()
    [row], _ = rows_for(entry, streams, 0)
    for name, act in {
        "numbered, chained, as JSON": lambda: rows_for(entry, streams, 0),
        "of that the digest": lambda: digest(payload),
        "its checksum": row.checksum,
    }.items():
        begin = time.process_time_ns()
        for _ in range(20_000):
            act()
        print(f"  {name}: {(time.process_time_ns() - begin) / 20_000 / 1000:.1f} us")


def append_and_sync(path: Path, count: int = 300) -> None:
    payload, costs = message_bytes(), []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(count):
        begin = time.perf_counter_ns()
        os.write(descriptor, payload)
        os.fdatasync(descriptor)
        costs.append((time.perf_counter_ns() - begin) / 1e6)
    os.close(descriptor)
    path.unlink()
    print(f"floor: append and fdatasync each: {1000 / statistics.mean(costs):,.0f}/s, {percentiles(costs)}")


def bare_sqlite(folder: Path, count: int) -> None:
    """A table with a number and the message, in groups as large; no index, no chain, no queue."""
    path = folder / "bare.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE r (n INTEGER PRIMARY KEY, p)")
    payload = message_bytes()
    begin = time.perf_counter()
    for first in range(0, count, GROUP):
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO r VALUES (?, ?)", [(first + nth, payload) for nth in range(GROUP)])
        db.execute("COMMIT")
    print(f"floor: bare SQLite, groups of {GROUP}: {count / (time.perf_counter() - begin):,.0f}/s")
    db.close()
    path.unlink()


def saturated(folder: Path, count: int) -> float:
    """One thread appends as fast as it can while 5,000 may wait; durable results a second."""
    place = folder / f"saturated-{time.monotonic_ns()}"
    outbox = Outbox(place, max_bytes=2 * 1024**3, queue_max=5_000)
    outbox.start()
    messages = [fields(nth) for nth in range(1000)]
    begin = time.perf_counter()
    for nth in range(count):
        while outbox.depth().queued >= 4_000:
            time.sleep(0.0005)
        outbox.append("top", "result", messages[nth % 1000])
    while outbox.recorded_total < count:
        time.sleep(0.0005)
    rate = count / (time.perf_counter() - begin)
    assert outbox.lost_total == 0
    outbox.close(10)
    print(f"outbox, saturated: {rate:,.0f} durable results/s (wanted {TARGET_A_S:,})")
    return rate


def saturated_with_retention(folder: Path, count: int) -> None:
    """The broker keeps up, and the file is full of what it has: each group drives out as many old rows."""
    database = open_database(folder / f"kept-{time.monotonic_ns()}", Limits(16 * 1024**2, drop_oldest=False))
    entries = [Entry("top", "result", fields(nth)) for nth in range(GROUP)]
    while not database.write(entries, database.last_row).removed:
        pass
    begin = time.perf_counter()
    for _ in range(count // GROUP):
        assert database.write(entries, database.last_row).taken == GROUP
    rate = count / (time.perf_counter() - begin)
    print(f"the file full of kept rows, one thread: {rate:,.0f} durable results/s")
    database.close()


def at_fifty(folder: Path, seconds: float) -> tuple[float, float]:
    """From append() to the disk's word that it is there, at 50 a second."""
    done = threading.Semaphore(0)
    recorded: list[int] = []

    def note(rows):
        for row in rows:
            recorded.append(row.committed_ns)
            done.release()

    outbox = Outbox(folder / f"fifty-{time.monotonic_ns()}", max_bytes=2 * 1024**3, on_recorded=note)
    outbox.start()
    appended = []
    due = time.monotonic()
    for nth in range(int(seconds * 50)):
        due += 0.02
        time.sleep(max(0.0, due - time.monotonic()))
        appended.append(time.monotonic_ns())
        outbox.append("top", "result", fields(nth))
        outbox.acknowledge_up_to(max(0, nth - 5))
    for _ in appended:
        assert done.acquire(timeout=10)
    outbox.close(5)
    costs = [(end - begin) / 1e6 for begin, end in zip(appended, recorded, strict=True)]
    print(f"outbox, one result durable at 50/s: {percentiles(costs)} (wanted {TARGET_P50_MS} and {TARGET_P99_MS})")
    return at(costs, 50), at(costs, 99)


def percentiles(costs: list[float]) -> str:
    return f"p50 {at(costs, 50):.2f} ms, p99 {at(costs, 99):.2f} ms, worst {max(costs):.1f} ms"


def at(costs: list[float], percent: int) -> float:
    return sorted(costs)[min(len(costs) - 1, len(costs) * percent // 100)]


def disk_of(folder: Path) -> str:
    """The device and the file system below `folder`, as the kernel calls them."""
    best = ("", "unknown", "unknown")
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        device, point, kind, *_ = line.split()
        if folder.resolve().is_relative_to(point) and len(point) > len(best[0]):
            best = (point, device, kind)
    name = Path(best[1]).name.rstrip("0123456789")
    model = Path(f"/sys/block/{name}/device/model")
    rotational = Path(f"/sys/block/{name}/queue/rotational")
    words = [best[1], best[2]]
    words += [model.read_text(encoding="utf-8").strip()] if model.exists() else []
    if rotational.exists():
        words.append("rotational" if rotational.read_text(encoding="ascii").strip() == "1" else "no moving parts")
    return ", ".join(words)


if __name__ == "__main__":
    main()
