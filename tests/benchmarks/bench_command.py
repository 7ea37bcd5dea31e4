"""What a command adds to a part, and what a flood of commands does to a line that is at work.

    python tests/benchmarks/bench_command.py [--parts 200] [--flood-s 10]

The real appliance with two cameras: commands trigger `top`, a timer triggers `side` 10 times a second. A part is
triggered by the line's socket, by REST and by MQTT; then all of them trigger as fast as they can, while `side` goes on.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from outbox.brokers import Broker
from running import BASE, Appliance, Subscriber, until
from steering.test_mqtt import Operator

from appliance.steering.client import ControlClient
from appliance.steering.requests import Request, Verb
from appliance.steering.sides import LINE

SIDE = """
[cameras.side]
recipe = "part"
takt_ms = 100
[cameras.side.camera]
driver = "virtual"
seed = 6
"""
_EVERY_S = 0.1


class Station:
    """The appliance, and each way to command it."""

    def __init__(self, folder: Path) -> None:
        self.broker = Broker(folder / "broker").start()
        self.appliance = Appliance(
            folder,
            self.broker.port,
            line='trigger = "command"',
            recipe="deadline_ms = 100",
            mqtt='commands = ["trigger"]',
            extra=SIDE,
        )
        self.subscriber = Subscriber(self.broker.port)
        self.operator = Operator(self.broker, base=BASE)
        self.line = ControlClient(folder / "state/line.sock", LINE)
        self.appliance.start()
        until(lambda: self.appliance.get("/readyz")[0] == 200, "the line", 120)

    def by_socket(self, part_id: str) -> int:
        return self.line.ask(Request(Verb.TRIGGER, body={"camera": "top", "part_id": part_id}), 20).status

    def by_rest(self, part_id: str) -> int:
        url = f"http://127.0.0.1:{self.appliance.http_port}/cameras/top/trigger"
        body = json.dumps({"part_id": part_id}).encode()
        asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    def by_mqtt(self, part_id: str) -> int:
        count = len(self.operator.answers)
        self.operator.says("cmd/trigger", {"camera": "top", "part_id": part_id}, correlation=part_id.encode())
        limit = time.monotonic() + 10
        while len(self.operator.answers) == count and time.monotonic() < limit:
            time.sleep(0.0002)
        return int(json.loads(self.operator.answers[-1].payload)["status"])

    def results(self, camera: str, since: int) -> list[dict]:
        return [one for one in self.subscriber.results[since:] if one["camera"] == camera]

    def close(self) -> None:
        self.operator.close()
        self.subscriber.close()
        self.appliance.end()
        Broker.stop_all()


def one_by_one(station: Station, way: str, parts: int) -> tuple[list[float], list[float], list[dict]]:
    """(from asking to the answer that it is triggered, ms; from asking to the exposure, by milliseconds; the results).

    The virtual camera exposes when it is triggered, so the second is what a command adds before a part's trigger.
    """
    ask: Callable[[str], int] = getattr(station, way)
    since = len(station.subscriber.results)
    took_ms, asked = [], {}
    for number in range(parts):
        begun = time.perf_counter()
        asked[f"{way}-{number}"] = time.time()
        assert ask(f"{way}-{number}") == 202
        took_ms.append((time.perf_counter() - begun) * 1e3)
        time.sleep(max(0.0, _EVERY_S - (time.perf_counter() - begun)))
    until(lambda: len(station.results("top", since)) >= parts, "all results", 30)
    results = station.results("top", since)
    exposed_ms = [(newest([one]) - asked[one["part_id"]]) * 1e3 for one in results]
    return took_ms, exposed_ms, results


def flood(station: Station, seconds: float) -> dict:
    """All ways at once, as fast as they answer."""
    since, stop = len(station.subscriber.results), threading.Event()
    answers: Counter[tuple[str, int]] = Counter()
    health_ms: list[float] = []

    def ask_on(way: str) -> None:
        ask: Callable[[str], int] = getattr(station, way)
        while not stop.is_set():
            answers[way, ask("flood")] += 1

    def publish_on() -> None:
        while not stop.is_set():
            station.operator.says("cmd/trigger", {"camera": "top"})
            answers["mqtt", 0] += 1

    bodies = [lambda way=way: ask_on(way) for way in ("by_socket",) * 6 + ("by_rest",) * 6] + [publish_on] * 2
    flooding = [threading.Thread(target=body) for body in bodies]
    for thread in flooding:
        thread.start()
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        begun = time.perf_counter()
        station.appliance.get("/livez")
        health_ms.append((time.perf_counter() - begun) * 1e3)
        time.sleep(0.2)
    stop.set()
    for thread in flooding:
        thread.join(30)
    ended = time.time()
    until(lambda: newest(station.results("side", since)) > ended, "results from after the flood", 120)
    return {
        "answers": answers,
        "health_ms": health_ms,
        "side": station.results("side", since),
        "top": station.results("top", since),
    }


def newest(results: Sequence[dict]) -> float:
    """When the last of them was exposed, seconds since 1970."""
    if not results:
        return 0.0
    return datetime.fromisoformat(results[-1]["exposure_time_utc"].replace("Z", "+00:00")).timestamp()


def quiet(station: Station, seconds: float) -> list[dict]:
    since = len(station.subscriber.results)
    time.sleep(seconds)
    return station.results("side", since)


def figures(values: Sequence[float]) -> str:
    if not values:
        return "-"
    p50, p99 = np.percentile(values, [50, 99])
    return f"{p50:9.2f} {p99:9.2f} {max(values):9.2f}"


def totals(results: Sequence[dict]) -> list[float]:
    return [one["processing_times"]["total_ms"] for one in results]


def late(results: Sequence[dict]) -> str:
    reasons = Counter(one["reason"] for one in results if one["evaluation"] == "Undefined")
    return f"{len(results)} parts, {sum(not one['deadline_met'] for one in results)} late, undefined {dict(reasons)}"


@contextlib.contextmanager
def station_in(folder: Path) -> Iterator[Station]:
    made = Station(folder)
    try:
        yield made
    finally:
        made.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=int, default=200, help="for each way in")
    parser.add_argument("--flood-s", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, station_in(Path(scratch)) as station:
        print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
        print(f"{'ms':<48} {'p50':>9} {'p99':>9} {'worst':>9}")
        for way in ("by_socket", "by_rest", "by_mqtt"):
            took_ms, exposed_ms, results = one_by_one(station, way, options.parts)
            print(f"{way + ': asked → exposed':<48} {figures(exposed_ms)}")
            print(f"{way + ': asked → triggered and answered':<48} {figures(took_ms)}")
            print(f"{way + ': trigger → verdict':<48} {figures(totals(results))}   {late(results)}")
        before = quiet(station, options.flood_s)
        print(f"{'timer, without commands: trigger → verdict':<48} {figures(totals(before))}   {late(before)}")
        found = flood(station, options.flood_s)
        side, top = found["side"], found["top"]
        print(f"{'timer, in the flood: trigger → verdict':<48} {figures(totals(side))}   {late(side)}")
        print(f"{'flooded camera: trigger → verdict':<48} {figures(totals(top))}   {late(top)}")
        print(f"{'page in the flood: /livez':<48} {figures(found['health_ms'])}")
        print(f"flood: {len(top) / options.flood_s:.0f} parts/s; answers {dict(found['answers'])}")


if __name__ == "__main__":
    main()
