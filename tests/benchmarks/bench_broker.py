"""Publishing never makes a verdict late: the running appliance with a healthy broker, without one, a slow and a
flapping and a frozen one, and while somebody has old results sent again, in turn and in the same run.

    python tests/benchmarks/bench_broker.py [--seconds 20] [--rate 20] [--rounds 2]

Every stretch is followed by one with the healthy broker, so that what the machine does meanwhile shows in both. What is
compared is the verdict path from the trigger on (`total_ms`), as each result carries it on the disk. Beside it stands
how long after it was recorded a subscriber had it.
"""

import argparse
import contextlib
import json
import random
import select
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import paho.mqtt.client as paho
from outbox.brokers import Broker
from paho.mqtt.enums import CallbackAPIVersion
from running import BASE, Appliance, until

from appliance.outbox.history import History, Selection

TARGET = 1.2
"""p99 with a bad broker over p99 with a healthy one."""


class Slow:
    """A proxy in front of the broker that lets through so many bytes a second, each way, and each some time later."""

    def __init__(self, port: int) -> None:
        self.bytes_per_s = float("inf")
        self.delay_s = 0.0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self._target), 2)
            except OSError:
                client.close()
                continue
            for here, there in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(here, there), daemon=True).start()

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                select.select([here], [], [])
                raw = here.recv(4096)
                if not raw:
                    break
                time.sleep(self.delay_s + len(raw) / self.bytes_per_s)
                there.sendall(raw)
        for one in (here, there):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Subscriber:
    """When each live result arrived, by its id; and a consumer that asks for old ones again and again."""

    def __init__(self, port: int) -> None:
        self.arrived: dict[str, int] = {}
        self.replayed = 0
        self.again = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench", protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe([(f"{BASE}/top/+", 1)])
        self._client.on_message = self._take
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        now = time.time_ns()
        if message.topic.endswith("/result"):
            self.arrived.setdefault(json.loads(message.payload)["result_id"], now)
        elif message.topic.endswith("/replay"):
            self.replayed += 1
            if b'"missing"' in message.payload and self.again.is_set():
                self.ask()

    def ask(self) -> None:
        wanted = {"camera": "top", "from_sequence": 1, "to_sequence": 1_000_000}
        self._client.publish(f"{BASE}/cmd/replay", json.dumps(wanted), qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.contextmanager
def replay(broker: Broker, _slow: Slow, _seconds: float) -> Iterator[None]:
    subscriber = Subscriber(broker.port)
    subscriber.again.set()
    subscriber.ask()
    yield
    subscriber.again.clear()
    print(f"replayed: {subscriber.replayed} messages", file=sys.stderr, flush=True)
    subscriber.close()


@contextlib.contextmanager
def down(broker: Broker, _slow: Slow, _seconds: float) -> Iterator[None]:
    broker.kill()
    yield
    broker.start()


@contextlib.contextmanager
def slow(_broker: Broker, proxy: Slow, _seconds: float) -> Iterator[None]:
    proxy.bytes_per_s, proxy.delay_s = 10_000.0, 0.2
    yield
    proxy.bytes_per_s, proxy.delay_s = float("inf"), 0.0


@contextlib.contextmanager
def frozen(broker: Broker, _slow: Slow, _seconds: float) -> Iterator[None]:
    broker.freeze()
    yield
    broker.thaw()


@contextlib.contextmanager
def flapping(broker: Broker, _slow: Slow, seconds: float) -> Iterator[None]:
    end = threading.Event()

    def flap() -> None:
        while not end.wait(random.uniform(0.5, 1.5)):
            broker.kill()
            end.wait(random.uniform(0.2, 1.0))
            broker.start()

    flapper = threading.Thread(target=flap)
    flapper.start()
    yield
    end.set()
    flapper.join(seconds)


TROUBLES: dict[str, Callable] = {"down": down, "slow": slow, "flapping": flapping, "frozen": frozen, "replay": replay}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stretch (20)")
    parser.add_argument("--rate", type=float, default=20.0, help="parts a second (20)")
    parser.add_argument("--rounds", type=int, default=2, help="times that each trouble is made (2)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run(Path(temporary), options)


def run(folder: Path, options: argparse.Namespace) -> None:
    broker = Broker(folder / "broker").start()
    proxy = Slow(broker.port)
    takt_ms = round(1000 / options.rate)
    line = Appliance(
        folder, proxy.port, line=f"takt_ms = {takt_ms}", recipe="deadline_ms = 50", mqtt='commands = ["replay"]'
    )
    line.start()
    subscriber = Subscriber(broker.port)
    history = History(folder / "state" / "outbox")
    spans: dict[str, list[tuple[int, int]]] = {"healthy": []}
    try:
        until(lambda: line.get("/readyz")[0] == 200, "the line")
        stretch(spans, "healthy", options.seconds / 2)  # the first seconds are everybody's worst
        spans["healthy"].clear()
        stretch(spans, "healthy", options.seconds)
        for _ in range(options.rounds):
            for name, trouble in TROUBLES.items():
                with trouble(broker, proxy, options.seconds):
                    stretch(spans, name, options.seconds)
                until(lambda: line.get("/healthz")[1]["mqtt"]["connected"], "the broker to be found again", 60)
                stretch(spans, "healthy", options.seconds)
        until(lambda: line.get("/healthz")[1]["outbox"]["pending"] < 50, "everything to be delivered", 60)
        assert line.stop() == 0
        recorded = [json.loads(one.row.payload) | {"at": one.recorded_utc_ns} for one in history.every(Selection())]
        report(spans, recorded, subscriber.arrived)
    finally:
        subscriber.close()
        line.end()
        broker.stop()


def stretch(spans: dict[str, list[tuple[int, int]]], name: str, seconds: float) -> None:
    print(f"{name}: {seconds:g} s", file=sys.stderr, flush=True)
    begin = time.time_ns()
    time.sleep(seconds)
    spans.setdefault(name, []).append((begin, time.time_ns()))


def report(spans: dict[str, list[tuple[int, int]]], results: list[dict], arrived: dict[str, int]) -> None:
    def of(name: str) -> list[dict]:
        return [one for one in results if any(begin <= one["at"] < end for begin, end in spans[name])]

    healthy = percentile([one["processing_times"]["total_ms"] for one in of("healthy")], 99)
    print(
        f"{'broker':<10} {'parts':>6} {'late':>5} {'p50':>7} {'p99':>7} {'worst':>7} ms   p99 / healthy (<= {TARGET})"
        f"   arrived after p50 {'p99':>7} ms"
    )
    for name in spans:
        parts = of(name)
        totals = [one["processing_times"]["total_ms"] for one in parts]
        late = sum(not one["deadline_met"] for one in parts)
        ratio = percentile(totals, 99) / healthy
        after = [(arrived[one["result_id"]] - one["at"]) / 1e6 for one in parts if one["result_id"] in arrived] or [0.0]
        print(
            f"{name:<10} {len(parts):>6} {late:>5} {percentile(totals, 50):>7.2f} {percentile(totals, 99):>7.2f}"
            f" {max(totals):>7.2f}      {ratio:.2f} {'':<24}"
            f"{percentile(after, 50):>7.2f} {percentile(after, 99):>7.2f}"
        )


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


if __name__ == "__main__":
    main()
