"""How fast a backlog reaches the broker, and what is lost when the sender is killed on the way.

    python tests/benchmarks/bench_outbox_drain.py [--count 100000] [--queue-count 10000] [--rounds 3] [--folder DISK]

The outbox with its publisher, paho alone (reading from memory), aiomqtt, and persist-queue's SQLiteAckQueue before
paho; each in a process of its own, in turns, with the same window, to one real Mosquitto with one subscriber. Then each
is killed with `kill -9` in the middle of its backlog and started again: what the subscriber never gets is lost.
The rivals are installed once, into an environment under ~/.cache/inspection-appliance-benchmarks.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
from benchmarks.peers.environments import CACHE
from outbox.brokers import BASE, Broker
from running import until

HERE = Path(__file__).with_name("drain")
WINDOW = 50
TOPIC = f"{BASE}/top/result"
TARGET = 0.7


@dataclass(frozen=True)
class Contender:
    name: str
    program: str
    is_rival: bool = True
    is_slow: bool = False
    environment: tuple[tuple[str, str], ...] = ()


CONTENDERS = [
    Contender("paho alone, from memory", "bare_paho.py"),
    Contender("ours", "ours.py", is_rival=False),
    Contender("ours, with commands", "ours.py", is_rival=False, environment=(("HURRIED", "1"),)),
    Contender("aiomqtt, from memory", "with_aiomqtt.py"),
    Contender("persist-queue and paho", "with_persist_queue.py", is_slow=True),
]


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
def test_a_backlog_is_drained_nearly_as_fast_as_from_memory(tmp_path):
    speeds = run(argparse.Namespace(count=100_000, queue_count=10_000, rounds=3, folder=tmp_path))
    assert speeds["ours"] >= TARGET * speeds["paho alone, from memory"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--queue-count", type=int, default=10_000, help="for persist-queue, which takes long to fill")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        options.folder = Path(scratch)
        run(options)


def run(options: argparse.Namespace) -> dict[str, float]:
    """Prints the table; returns messages a second."""
    speeds: dict[str, list[float]] = {one.name: [] for one in CONTENDERS}
    costs: dict[str, list[float]] = {one.name: [] for one in CONTENDERS}
    counts = {one.name: options.queue_count if one.is_slow else options.count for one in CONTENDERS}
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; window {WINDOW}, {options.rounds} rounds", flush=True
    )
    for _ in range(options.rounds):
        for one in CONTENDERS:
            folder = options.folder / "speed"
            with (
                broker_and_subscriber(folder) as (port, _),
                started(one, port, folder / "backlog", counts[one.name]) as child,
            ):
                found = go(child)
            shutil.rmtree(folder)
            speeds[one.name].append(found["count"] / found["seconds"])
            costs[one.name].append(found["cpu"] / found["count"] * 1e6)
    bare = statistics.median(speeds["paho alone, from memory"])
    print("| | messages/s | of paho alone | CPU µs each | killed in the middle: lost | sent twice |")
    print("|---|---|---|---|---|---|")
    for one in CONTENDERS:
        speed = statistics.median(speeds[one.name])
        lost, twice = kill(one, options.folder / "kill", counts[one.name] // 4)
        print(
            f"| {one.name} | {speed:,.0f} ({min(speeds[one.name]):,.0f}-{max(speeds[one.name]):,.0f}) |"
            f" {speed / bare:.0%} | {statistics.median(costs[one.name]):.0f} |"
            f" {lost:,} of {counts[one.name] // 4:,} | {twice:,} |",
            flush=True,
        )
    return {name: statistics.median(found) for name, found in speeds.items()}


def kill(one: Contender, folder: Path, count: int) -> tuple[int, int]:
    """How many never arrive, and how many twice, where the sender is killed in the middle and started again."""
    with broker_and_subscriber(folder) as (port, heard):
        with started(one, port, folder / "backlog", count) as child:
            child.stdin.write("\n")
            child.stdin.flush()
            until(lambda: heard.stat().st_size > 400 * count // 3, "a third of it", 120)
            child.send_signal(signal.SIGKILL)
            child.wait()
        with started(one, port, folder / "backlog", 0) as child:
            go(child)
        size = [-1]

        def is_quiet() -> bool:
            before, size[0] = size[0], heard.stat().st_size
            return size[0] == before

        until(is_quiet, "the subscriber to have everything")
        numbers = [json.loads(line)["number"] for line in heard.read_text().splitlines()]
    shutil.rmtree(folder)
    return count - len(set(numbers)), len(numbers) - len(set(numbers))


@contextlib.contextmanager
def broker_and_subscriber(folder: Path) -> Iterator[tuple[int, Path]]:
    """Mosquitto that keeps all in memory, and its own subscriber, which writes each message to a file."""
    broker = Broker(folder, settings="allow_anonymous true\nmax_inflight_messages 1000\n").start()
    heard = folder / "heard"
    program = shutil.which("mosquitto_sub")
    if program is None:
        pytest.skip("mosquitto_sub is not installed")
    command = [program, "-p", str(broker.port), "-V", "5", "-q", "1", "-i", "subscriber", "-t", TOPIC, "-F", "%p"]
    with heard.open("wb") as file:
        reader = subprocess.Popen(command, stdout=file)
        try:
            until(lambda: "subscriber" in (folder / "mosquitto.log").read_text(), "the subscriber")
            yield broker.port, heard
        finally:
            reader.kill()
            reader.wait()
            broker.stop()


@contextlib.contextmanager
def started(one: Contender, port: int, backlog: Path, count: int) -> Iterator[subprocess.Popen]:
    python = python_of_rivals() if one.is_rival else Path(sys.executable)
    command = [str(python), str(HERE / one.program), str(port), TOPIC, str(WINDOW), str(backlog), str(count)]
    environment = {**os.environ, **dict(one.environment)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout.readline() == "ready\n"
        yield child


def go(child: subprocess.Popen) -> dict[str, float]:
    child.stdin.write("\n")
    child.stdin.flush()
    return json.loads(child.stdout.readline())


def python_of_rivals() -> Path:
    """The interpreter of their environment; installs it where it is not there: seconds, and 30 MB."""
    folder, wanted = CACHE / "drain", (HERE / "requirements.txt").read_text()
    done, python = folder / "installed.txt", folder / "bin" / "python"
    if not done.is_file() or done.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(HERE / "requirements.txt")], check=True)
        done.write_text(wanted)
    return python


if __name__ == "__main__":
    main()
