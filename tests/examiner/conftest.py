"""Real examiners over a real link, on the demo model and broken variants of it; the tests are the delivery process."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from running import DEMO_MODEL, REPOSITORY

from appliance.config import load_config
from appliance.link import Link, Message
from appliance.models import runtime_config
from appliance.runtimes.digest import digest_of
from appliance.runtimes.prepared import PreparedCache, key_of
from camera.conveyor import Scene

STAND_IN = Path(__file__).with_name("stand_in.py")
CONFIG = """
[station]
name = "box"
state_folder = "state"
[cameras.top]
recipe = "plate"
takt_ms = 100
camera = {{ driver = "virtual" }}
[recipes.plate]
model = "surface"
deadline_ms = 80
{recipe}
[models.surface]
base_path = {base!r}
{model}
[models.surface.delivery]
source = "file:///nowhere/"
trusted_keys = ["key.pub"]
{delivery}
[resources]
{resources}
[mqtt]
host = "127.0.0.1"
base_topic = "test/site/area/line/box"
"""


class Examiner:
    """One examiner, as who started it sees it."""

    def __init__(self, process: "subprocess.Popen[bytes]", link: Link) -> None:
        self.process = process
        self.link = link
        self.heard: list[Message] = []

    def next(self, kind: str, timeout_s: float = 60) -> dict[str, Any]:
        """The body of the next message of this kind; what comes before it is kept."""
        while True:
            message = self.link.receive(timeout_s)
            assert message is not None, f"it ended with {self.process.wait(5)} after {self.heard}"
            self.heard.append(message)
            if message.kind == kind:
                return dict(message.body)
            assert message.kind != "failed", message.body

    def ended(self, timeout_s: float = 30) -> int:
        """Its exit code."""
        return self.process.wait(timeout_s)

    def failed(self) -> dict[str, Any]:
        """How it failed, when it has ended."""
        body = self.next("failed")
        assert self.ended() == 1
        return body

    def candidate_pid(self) -> int:
        """The process that runs the candidate."""
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)

    def end(self) -> None:
        """It hears that its link is gone, and leaves nothing behind."""
        self.link.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    """A box' folder: its settings, one candidate in its store, what was prepared."""

    def __init__(self, folder: Path, prepared: Path) -> None:
        self.folder = folder
        self.version = folder / "state" / "models" / "surface" / "versions" / "12"
        self.prepared = folder / "state" / "prepared"
        self.config = folder / "appliance.toml"
        self._prepared = prepared
        shutil.copytree(DEMO_MODEL / "1", self.version)
        self.configure()
        self.started: list[Examiner] = []

    @property
    def golden(self) -> Path:
        return self.version / "assets.extra" / "golden"

    def configure(self, *, recipe: str = "", model: str = "", delivery: str = "", resources: str = "") -> None:
        text = CONFIG.format(base=str(DEMO_MODEL), recipe=recipe, model=model, delivery=delivery, resources=resources)
        self.config.write_text(text)

    def change(self, file: Path, change: Callable[[Any], None]) -> None:
        """Edit a JSON file of the candidate."""
        value = json.loads(file.read_text())
        change(value)
        file.write_text(json.dumps(value))

    def prepare(self) -> None:
        """As this box would have prepared it: what differs from the demo model is not in its graph."""
        runtime = runtime_config(load_config(self.config), "surface", self.prepared)
        found = PreparedCache(self._prepared, 1 << 30).find(key_of(digest_of(DEMO_MODEL / "1"), runtime))
        assert found is not None
        record, file = found
        assert file is not None
        digest = digest_of(self.version)
        cache = PreparedCache(self.prepared, 1 << 30)
        with cache.staging() as staging:
            shutil.copy(file, staging / file.name)
            cache.place(staging, key_of(digest, runtime), record.model_copy(update={"source_digest": digest}))

    def start(
        self,
        *arguments: str,
        stand_in: str | None = None,
        digest: str | None = None,
        frames: tuple[int, int] | None = None,
        prepare: bool = True,
    ) -> Examiner:
        if prepare:
            self.prepare()
        ours, theirs = Link.pair()
        program = ["-m", "appliance.examiner"] if stand_in is None else [str(STAND_IN), stand_in]
        passed = [theirs.fileno(), *(frames or ())]
        told = ["--config", str(self.config), "--model", "surface", "--folder", str(self.version)]
        told += ["--digest", digest or digest_of(self.version), "--link", str(theirs.fileno()), *arguments]
        if frames is not None:
            told += ["--frames-memory", str(frames[0]), "--frames-socket", str(frames[1])]
        process = subprocess.Popen(
            [sys.executable, *program, *told], pass_fds=passed, stdin=subprocess.DEVNULL, cwd=REPOSITORY
        )
        theirs.close()
        self.started.append(Examiner(process, ours))
        return self.started[-1]


@pytest.fixture
def bench(tmp_path: Path, prepared: Path) -> Iterator[Bench]:
    """A box with the demo model as its candidate."""
    one = Bench(tmp_path, prepared)
    yield one
    for examiner in one.started:
        examiner.end()


@pytest.fixture(scope="session")
def scene() -> Scene:
    """Of no scene that the demo model has learnt from."""
    return Scene(7000)


@pytest.fixture
def site(tmp_path: Path, scene: Scene) -> Callable[..., Path]:
    """Makes the site's golden folder: `site(good=["good", "good"], scratch=["scratch"])`: folder = what lies in it."""

    def make(**folders: list[str]) -> Path:
        golden = tmp_path / "golden"
        for number, (label, kinds) in enumerate(folders.items()):
            (golden / label).mkdir(parents=True)
            for index, kind in enumerate(kinds):
                picture = scene.part(10 * number + index, kind, None if kind == "good" else 1.0)[0]
                cv2.imwrite(str(golden / label / f"{kind}-{index}.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return golden

    return make


@pytest.fixture
def thread() -> Iterator[Callable[..., threading.Thread]]:
    """Starts threads that the test ends."""
    started: list[threading.Thread] = []

    def start(body: Callable[..., None], *arguments: Any) -> threading.Thread:
        started.append(threading.Thread(target=body, args=arguments))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.join(10)
