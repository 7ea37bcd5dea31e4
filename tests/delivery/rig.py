"""A delivery without a line: the real courier, store, client and rules; the line and the examiner are played."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

from delivery.publisher import Publisher
from running import BASE, DEMO_MODEL, until

from appliance.config import ApplianceConfig
from appliance.delivery import model as module
from appliance.delivery.candidate import Trouble
from appliance.delivery.line import Line
from appliance.delivery.model import ModelDelivery
from appliance.delivery.timing import Turn
from appliance.registry.store.view import StoreView
from appliance.status import CanaryStatus, DeliveredStatus, LineStatus, ReleaseStatus, ReleaseTally

NOTHING: Mapping[str, Any] = MappingProxyType({})
ACCEPTED = {"passed": True, "golden_samples": 5, "golden_worst": 0.0, "sentence": "5 golden samples agree."}
LOADED = {"seconds": 0.1, "memory_bytes": 1, "engine": "litert", "engine_reason": "", "digest": "", "sealed": []}
SHADOWED = {
    "parts": 50, "agreed": 50, "new_passes": 0, "new_rejects": 0, "failed": 0, "skipped": 0, "max_score_drift": 0.0,
    "drift_label": None, "candidate_ms_median": 1.0, "serving_ms_median": 1.0, "seconds": 1.0,
}  # fmt: skip


def configuration(
    folder: Path, publisher: Publisher, *, factory: Path = DEMO_MODEL, limits: Mapping[str, Any] = NOTHING, **delivery
) -> ApplianceConfig:
    """A box that follows the publisher's folder; short proofs unless `delivery` says otherwise."""
    settings = {
        "source": str(publisher.registry),
        "trusted_keys": [str(publisher.public_key)],
        "poll_s": 1,
        "shadow": {"parts": 10, "at_least_s": 0},
        "probation": {"parts": 10, "at_least_s": 0},
        **delivery,
    }
    return ApplianceConfig.model_validate(
        {
            "station": {"name": "test-box", "state_folder": str(folder / "state")},
            "cameras": {"top": {"recipe": "part", "takt_ms": 100, "camera": {"driver": "virtual"}}},
            "recipes": {"part": {"model": "surface", "deadline_ms": 100}},
            "models": {"surface": {"base_path": str(factory), "delivery": settings}},
            "mqtt": {"host": "127.0.0.1", "base_topic": BASE},
            "delivery": {"ballast_mb": 0, "timeout_s": 2, **limits},
        }
    )


class PlayedLine:
    """Does what it is told, at once: loads what is wished, and points at what `current` names."""

    def __init__(self, store: Path, started: str = "2026-11-21T00:00:00.000Z") -> None:
        self.view = StoreView(store)
        self.line = Line(self)  # type: ignore[arg-type]
        self.started = started
        self.wish: dict = {"candidate": None, "keep": [], "shadow": False, "canary": False}
        self.unloadable: set[int] = set()
        self.breaks_as_current: set[int] = set()
        """Loads beside another, and cannot serve when it shall."""
        self.misbehaves: dict[int, dict] = {}
        """Per release: what its tally counts beside parts."""
        self.served: list[int] = []
        """Every release that parts were judged with, as they came."""
        self.loaded: set[int] = set()
        """Every release that was ever in memory."""
        self._tallies: dict[int, ReleaseTally] = {}
        self._pointer: int | None = None

    def send(self, kind: str, body: dict) -> bool:
        if kind == "wish":
            self.wish = {**self.wish, **body["models"].get("surface", {})}
        self.tick()
        return True

    def tick(self) -> None:
        """Ten parts pass."""
        current = self.view.current()
        releases = [current.release] if current else []
        releases += [one for one in (self.wish["candidate"], *self.wish["keep"]) if one is not None]
        loaded = []
        for release in dict.fromkeys(releases):
            held = self.view.held(release)
            is_broken = release in self.unloadable
            is_broken |= current is not None and release == current.release and release in self.breaks_as_current
            state, error = ("END", "it does not load.") if is_broken else ("AVAILABLE", None)
            if held is not None:
                loaded.append(ReleaseStatus(release, held.version, held.digest, state, error))
                self.loaded.add(release)
        broken = self.unloadable | self.breaks_as_current
        if current is not None and current.release != self._pointer and current.release not in broken:
            self._pointer = current.release
            self._tallies[current.release] = ReleaseTally(current.release, current.version, self.started)
        pointer = next((one for one in loaded if one.release == self._pointer), None)
        if pointer is not None:
            self.served.append(pointer.release)
            tally = self._tallies[pointer.release]
            tally.parts += 10
            tally.passed += 10 - self.misbehaves.get(pointer.release, {}).get("failed", 0)
            tally.late += self.misbehaves.get(pointer.release, {}).get("late", 0)
        canary = None
        if self.wish["canary"] and self.wish["candidate"] is not None:
            canary = CanaryStatus(self.wish["candidate"], 0, self.started, parts=20)
        status = DeliveredStatus(
            pointer=pointer,
            current=None if current is None else current.release,
            loaded=loaded,
            swaps=1,
            swap_ms=0.01,
            noticed_ms=1.0,
            tallies={str(number): replace(tally) for number, tally in self._tallies.items()},
            canary=canary,
        )
        self.line.take(
            LineStatus(
                at_ns=0,
                started_utc=self.started,
                station="test-box",
                phase="running",
                reasons=[],
                cameras={},
                models=[],
                outbox=None,
                resident_bytes=0,
                takes_parts=True,
                deliveries={"surface": status},
            )
        )


class PlayedCandidate:
    """An examiner that has an opinion at once. `opinions` by release number's folder name."""

    opinions: dict[str, Trouble] = {}  # noqa: RUF012 - set by a test, cleared by the rig
    started: list[str] = []  # noqa: RUF012 - as above

    def __init__(self, _config_file, _model, folder, _digest, _frames, changed) -> None:
        self._folder = folder
        self._changed = changed
        self.loaded = self.acceptance = self.shadow = self.trouble = None

    def start(self) -> None:
        assert (self._folder / "saved_model.pb").is_file(), "a candidate is whole"
        PlayedCandidate.started.append(self._folder.name)
        trouble = self.opinions.get(self._folder.name)
        if trouble is None or trouble.stage != "loading":
            self.loaded = LOADED
            if trouble is None or trouble.stage != "accepting":
                self.acceptance = ACCEPTED
                trouble = None
        self.trouble = trouble
        self._changed()

    def look_on(self) -> None:
        trouble = self.opinions.get(self._folder.name)
        if trouble is None:
            self.shadow = SHADOWED
        else:
            self.trouble = trouble
        self._changed()

    def stop(self) -> None:
        self.loaded = None


class Rig:
    """One box. `with Rig(...) as rig:` its threads run."""

    def __init__(
        self, folder: Path, publisher: Publisher, monkeypatch=None, *, line: PlayedLine | None = None, **delivery
    ):
        self.config = configuration(folder, publisher, **delivery)
        self.store_folder = self.config.store_of("surface")
        self.line = line or PlayedLine(self.store_folder)
        if monkeypatch is not None:
            monkeypatch.setattr(module, "Candidate", PlayedCandidate)
        PlayedCandidate.opinions, PlayedCandidate.started = {}, []
        self.changes = SimpleNamespace(count=0)
        self.delivery = ModelDelivery(
            "surface", self.config, folder / "none.toml", self.line.line, None, Turn(), None, self._changed
        )
        self.delivery.watcher._period_s = 0.1  # no operator may set it so low
        self.delivery.watcher.look_now()
        self._threads: list[threading.Thread] = []
        self._ticking = threading.Event()
        self.crash: BaseException | None = None

    def __enter__(self):
        bodies = [*self.delivery.threads().values(), self._tick]
        self._threads = [threading.Thread(target=self._run, args=(body,), daemon=True) for body in bodies]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.delivery.stop()
        self._ticking.set()
        for thread in self._threads:
            thread.join(10)
        self.delivery.close()
        assert self.crash is None, repr(self.crash)

    def _changed(self) -> None:
        self.changes.count += 1

    def _run(self, body) -> None:
        try:
            body()
        except BaseException as error:
            self.crash = error
            raise

    def _tick(self) -> None:
        while not self._ticking.wait(0.01):
            self.line.tick()
            self.delivery.course.wake()

    def ended(self, release: int | None = None, timeout_s: float = 20.0) -> dict:
        """The deployment that ended last; with `release`: that one's."""

        def found():
            known = self.delivery.records.history()
            return next((one for one in known if release in {None, one["release"]}), None)

        return until(found, f"a deployment of release {release} to end", timeout_s)

    def next_end(self, act) -> dict:
        """What came of what `act` begins."""
        before = {one["id"] for one in self.delivery.records.history()}
        act()
        self.delivery.watcher.look_now()
        return until(
            lambda: next((one for one in self.delivery.records.history() if one["id"] not in before), None),
            "the deployment to end",
            20,
        )
