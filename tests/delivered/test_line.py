"""The real line with delivered models: swaps between two parts, shadows, canaries, and what happens when things die.

In the delivery process' place is a stand-in that does what the test says.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from running import DEMO_MODEL, REPOSITORY, Appliance, until

from appliance.config import load_config
from appliance.models import runtime_config
from appliance.registry.package.files import PackageFile
from appliance.registry.store.store import Store
from appliance.runtimes.digest import digest_of, file_digest
from appliance.runtimes.prepared import key_of

HERE = Path(__file__).parent
DELIVERY = '[models.surface.delivery]\nsource = "file:///nowhere/"\ntrusted_keys = ["key.pem"]\n'


class DeliveredLine(Appliance):
    """`appliance run` whose delivery process is the stand-in."""

    def __init__(self, folder, broker_port, **changes):
        (folder / "key.pem").write_text("nobody reads it")
        super().__init__(folder, broker_port, **{"extra": DELIVERY, **changes})
        self.place = folder / "stand-in"
        self.store = Store(folder / "state" / "models" / "surface", 64 << 10)

    def start(self, *arguments):
        paths = [str(REPOSITORY), str(HERE / "stand_in")]
        environment = {**os.environ, "STAND_IN": str(self.place), "PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, "-m", "line_with_stand_in", "run", "--config", str(self.config_file), *arguments]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
        return self

    def adopt(self):
        self.store.open()
        self.store.adopt_factory(DEMO_MODEL / "1", 1, digest_of(DEMO_MODEL / "1"))

    def publish(self, release, change=None):
        """The demo model as version `release` + 1, prepared as that is; `change` takes its folder."""
        folder = self.folder / "made" / str(release)
        shutil.copytree(DEMO_MODEL / "1", folder)
        (folder / "assets.extra" / "release.txt").write_text(f"release {release}")
        if change is not None:
            change(folder)
        files = [
            PackageFile(str(file.relative_to(folder)), file.stat().st_size, file_digest(file).hex())
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        ]
        for file in files:
            if not self.store.holds(file.sha256):
                with self.store.partial(file.sha256, file.size) as sink:
                    sink.write((folder / file.path).read_bytes())
                self.store.keep(file.sha256, file.size)
        self.store.stage(release, files)
        self.store.publish(release, release + 1, digest_of(folder))
        self._prepare_as_the_first(digest_of(folder))

    def _prepare_as_the_first(self, digest):
        """Its weights are the first version's, so what was prepared of that is right for it too."""
        prepared = self.folder / "state" / "prepared"
        config = runtime_config(load_config(self.config_file), "surface", prepared)
        entry = prepared / key_of(digest, config)
        first = prepared / key_of(digest_of(DEMO_MODEL / "1"), config)
        shutil.copytree(first, entry)
        record = json.loads((entry / "prepared.json").read_text())
        (entry / "prepared.json").write_text(json.dumps({**record, "source_digest": digest}))

    def order(self, do, **what):
        """Say it to the stand-in; None while there is none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            asking.settimeout(30)
            asking.bind(str(self.folder / f"asking-{time.monotonic_ns()}"))
            try:
                asking.sendto(json.dumps({"do": do, **what}).encode(), str(self.place))
            except OSError:
                return None
            return json.loads(asking.recv(400_000))

    def wish(self, candidate=None, keep=(), shadow=False, canary=False):
        wish = {"candidate": candidate, "keep": list(keep), "shadow": shadow, "canary": canary}
        assert self.order("send", kind="wish", body={"models": {"surface": wish}})

    def look(self):
        assert self.order("send", kind="look", body={})

    @property
    def delivery(self):
        """What the line last said of the model to its delivery process; {} before."""
        status = self.order("status")
        return {} if status is None else status["deliveries"]["surface"]

    def is_loaded(self, *releases):
        found = {one["release"] for one in self.delivery.get("loaded", []) if one["state"] == "AVAILABLE"}
        return set(releases) <= found

    def serves(self, release):
        pointer = self.delivery.get("pointer")
        return pointer is not None and pointer["release"] == release


@pytest.fixture
def delivered(tmp_path, broker, prepared):
    built = []

    def build(**changes):
        changes.setdefault("line", "takt_ms = 50")
        one = DeliveredLine(tmp_path, broker.port, **changes)
        shutil.copytree(prepared, tmp_path / "state" / "prepared")
        built.append(one)
        return one

    yield build
    for one in built:
        one.end()
        one.store.close()
        if one.process is not None and one.process.returncode not in {0, -9}:
            print(one.log()[-3000:])


def versions(results):
    return [result["model"]["version"] for result in results if result["model"]]


def whole(results):
    """Nothing is missing, nothing late."""
    numbers = [result["sequence"] for result in results]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    late = [result for result in results if not result["deadline_met"] or result["evaluation"] == "Undefined"]
    assert late == []
    return True


def more(subscriber, count=10):
    seen = len(subscriber.results)
    until(lambda: len(subscriber.results) >= seen + count, "more results", 30)
    return subscriber.results[seen:]


def test_a_model_is_swapped_and_swapped_back_by_a_pointer_between_two_parts(delivered, subscriber):
    line = delivered()
    line.start()
    until(lambda: line.serves(0), "the shipped model to serve")
    first = len(subscriber.results)
    line.adopt()
    line.publish(1)
    line.look()
    line.wish(candidate=1)
    until(lambda: line.is_loaded(0, 1), "the candidate to be loaded")
    assert set(versions(more(subscriber))) == {1}, "though version 2 is loaded"
    assert line.get("/v1/models/surface")[1]["model_version_status"][0]["state"] == "AVAILABLE"
    line.store.activate(1)
    line.look()
    until(lambda: line.serves(1), "the candidate to serve")
    line.wish(keep=[0])
    assert versions(more(subscriber))[-1] == 2
    line.store.back()
    line.look()
    until(lambda: line.serves(0), "the one before to serve again")
    assert versions(more(subscriber))[-1] == 1
    said = line.delivery
    assert said["swaps"] == 3
    assert said["swap_ms"] < 1
    assert said["noticed_ms"] < 50
    assert said["tallies"]["1"]["parts"] >= 10
    assert said["tallies"]["1"]["late"] == said["tallies"]["1"]["undefined"] == 0
    print("swap_ms", said["swap_ms"], "noticed_ms", said["noticed_ms"])
    assert line.stop() == 0
    results = subscriber.results[first:]
    assert whole(results)
    changes = [pair for pair in zip(versions(results), versions(results)[1:], strict=False) if pair[0] != pair[1]]
    assert changes == [(1, 2), (2, 1)]


@pytest.mark.slow
def test_the_line_starts_with_what_current_names_without_any_delivery_process(delivered, subscriber):
    line = delivered()
    line.adopt()
    line.publish(1)
    line.store.activate(1)
    line.store.close()
    line.start("--parts", "5")
    assert line.wait() == 0
    assert set(versions(subscriber.results)) == {2}


def test_a_model_that_changed_on_the_disk_is_not_loaded_and_health_says_so(delivered, subscriber):
    line = delivered()
    line.adopt()
    line.publish(1)
    line.store.activate(1)
    file = line.store.held(1).folder / "assets.extra" / "release.txt"
    file.unlink()
    file.write_text("release X")
    line.start()
    until(lambda: "MODEL_CHANGED_ON_DISK" in subscriber.codes(), "the reason in health")
    until(lambda: subscriber.health()["device_health"] == "MAINTENANCE_REQUIRED", "the line to be well otherwise")
    assert set(versions(more(subscriber))) == {1}
    assert line.stop() == 0


def test_when_the_delivery_process_dies_the_line_goes_on_and_tries_nothing_out(delivered, subscriber):
    line = delivered()
    line.adopt()
    line.publish(1)
    line.start()
    until(lambda: line.serves(0), "the factory model to serve")
    line.wish(candidate=1, shadow=True, canary=True)
    until(lambda: line.is_loaded(1) and line.delivery["canary"] and line.delivery["feed"], "the candidate")
    first = len(subscriber.results)
    os.kill(line.order("pid"), signal.SIGKILL)
    until(lambda: "no model is fetched or tried" in line.log(), "the line to say so")  # health has it for half a second
    until(lambda: line.order("pid"), "another delivery process")
    until(lambda: line.delivery and not line.is_loaded(1), "the candidate to go")
    assert (line.delivery["canary"], line.delivery["feed"]) == (None, None)
    until(lambda: "DELIVERY_DOWN" not in subscriber.codes(), "health to be well again")
    more(subscriber)
    assert line.stop() == 0
    assert whole(subscriber.results[first:])


def stricter(folder):
    """A candidate for which hardly any part is good enough."""
    file = folder / "assets.extra" / "inspection.json"
    said = json.loads(file.read_text())
    said["limits"]["good_min"] = 1.0
    file.write_text(json.dumps(said))


@pytest.mark.slow
def test_a_canary_lets_pass_only_what_both_pass_and_no_part_is_late(delivered, subscriber):
    line = delivered()
    line.adopt()
    line.publish(1, stricter)
    line.start()
    until(lambda: line.serves(0), "the factory model to serve")
    first = len(subscriber.results)
    assert any(result["verdict"] == "pass" for result in more(subscriber, 20))
    line.wish(candidate=1, canary=True)
    counted = until(lambda: (line.delivery["canary"] or {}).get("new_rejects", 0) > 5 and line.delivery, "rejects")
    canary = counted["canary"]
    assert canary["parts"] > 5
    assert (canary["failed"], canary["new_passes"]) == (0, 0)
    results = more(subscriber)
    assert {result["verdict"] for result in results} == {"fail"}
    assert "CANARY_REJECTED" in {result["reason"] for result in results}
    assert set(versions(results)) == {1}
    line.wish()
    until(lambda: not line.is_loaded(1), "the candidate to go")
    assert any(result["verdict"] == "pass" for result in more(subscriber, 20))
    assert line.stop() == 0
    assert whole(subscriber.results[first:])


@pytest.mark.slow
def test_an_examiner_sees_the_lines_parts_and_they_are_judged_as_fast_as_without(delivered, subscriber):
    line = delivered()
    line.adopt()
    line.start()
    until(lambda: line.serves(0), "the factory model to serve")
    quiet = more(subscriber, 40)
    line.wish(shadow=True)
    taken = []
    examiner = threading.Thread(target=lambda: taken.extend(line.order("take", parts=40)))
    examiner.start()
    shown = more(subscriber, 40)
    examiner.join(30)
    assert len(taken) == 40
    by_id = {result["trigger_id"]: result for result in subscriber.results}
    assert all(by_id[trigger]["evaluation"] == evaluation for trigger, evaluation, _, _ in taken)
    assert {version for *_, version in taken} == {1}
    line.wish()
    until(lambda: line.delivery["feed"] is None, "the feed to end")
    for name, results in (("off", quiet), ("on", shown)):
        total = sorted(result["processing_times"]["total_ms"] for result in results)
        print(f"shadow {name}: median {total[20]:.2f} ms, worst {total[-1]:.2f} ms")
    assert line.stop() == 0
    assert whole(quiet + shown if quiet[-1]["sequence"] + 1 == shown[0]["sequence"] else shown)
