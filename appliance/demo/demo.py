"""The demo: a broker and the appliance as children, and a subscriber that shows what it hears."""

import contextlib
import json
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any, Final

from appliance.demo.broker import Broker, BrokerKind, choose
from appliance.demo.children import dies_with_us
from appliance.demo.show import Show, shown
from appliance.demo.subscriber import Subscriber
from appliance.demo.tour import Tour, publisher_files
from appliance.errors import ApplianceError
from appliance.registry.package.keys import new_key_pair

BASE_TOPIC: Final = "demo/site/area/line/box"
CAMERA: Final = "top"
_EMBEDDED_MODEL: Final = Path(__file__).parent.parent / "demo_model"
_STOP_S: Final = 30.0
_DEADLINE_MS: Final = 250
_USUAL_PORT: Final = 8080
_USUAL_GRPC_PORT, _USUAL_REST_PORT = 8500, 8501


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What can be asked of the demo."""

    state: Path
    """Folder for everything it writes."""
    parts: int | None
    """End after so many; None: until Ctrl-C."""
    takt_ms: int
    seed: int
    pictures: Path | None
    """Folder of pictures instead of virtual parts."""
    model: Path | None
    """A SavedModel's folder, or the folder of its numbered versions; None: the embedded one."""
    http_port: int | None
    """None: the usual one, or any where that is taken."""
    registry: str | None = None
    """Where new versions come from; None: a folder of the demo's own."""
    tour: bool = False
    """Push a good model and a bad one, and show what becomes of them."""
    broker: BrokerKind | None = None
    """None: Mosquitto, or else amqtt."""


class DemoError(ApplianceError):
    """The demo cannot run as asked."""


class Demo:
    """One run. run() blocks until it ends."""

    def __init__(self, settings: DemoSettings) -> None:
        self._settings = settings
        self._state = settings.state.resolve()
        self._broker = Broker(self._state, choose(settings.broker))
        self._show = Show(is_brief=settings.tour)
        self._http_port = _http_port(settings.http_port)
        self._grpc_port, self._rest_port = _usual_or_free(_USUAL_GRPC_PORT), _usual_or_free(_USUAL_REST_PORT)
        self._registry = settings.registry or str(self._state / "registry")
        self._tour: Tour | None = None
        self._interrupted = threading.Event()
        self._line: subprocess.Popen[bytes] | None = None
        self._asked_at: float | None = None

    def run(self) -> int:
        """Returns the exit code: that of the appliance."""
        self._state.mkdir(parents=True, exist_ok=True)
        if self._settings.tour:
            for old in publisher_files(self._state):
                shutil.rmtree(old, ignore_errors=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the last: the terminal was closed
            signal.signal(number, self._interrupt)
        config = self._write_config_except_broker()
        self._broker.start()
        subscriber = Subscriber(self._broker.port, BASE_TOPIC, self._broker.kind.protocol)
        try:
            subscriber.start()
            self._write_config(config)
            return self._watch(subscriber)
        finally:
            if self._tour is not None:
                self._tour.end()
            self._end_line()
            subscriber.stop()
            self._broker.stop()

    def _watch(self, subscriber: Subscriber) -> int:
        """Show results until the appliance has ended and everything it published was shown."""
        self._start_line()
        line = self._line
        assert line is not None  # _start_line() made it
        self._introduce()
        begun = told_at = time.monotonic()
        pause_s = 1.0 if self._show.out.isatty() else 5.0
        while line.poll() is None:
            self._broker.check()
            if self._interrupted.is_set():
                self._ask_to_end(line)
            with contextlib.suppress(queue.Empty):
                self._take(subscriber.results.get(timeout=0.2))
            if self._tour is not None and not self._tour.step(self._show.parts, subscriber.deployment):
                self._interrupted.set()
            if self._show.parts == 0 and time.monotonic() - told_at > pause_s:
                told_at = time.monotonic()
                self._show.progress(
                    f"… {told_at - begun:.0f} s: the model is prepared: frozen, converted, compared with its original "
                    "(the next start takes seconds)"
                )
        with contextlib.suppress(queue.Empty):
            while True:
                self._take(subscriber.results.get(timeout=0.3))
        self._conclude(line.returncode)
        return line.returncode

    def _take(self, result: dict[str, Any]) -> None:
        if self._show.parts == 0:
            self._show.header()
        self._show.result(result)

    def _introduce(self) -> None:
        port = self._broker.port
        program = shown(Path(sys.executable).with_name("appliance"))
        version = "5" if self._broker.kind.protocol == "5" else "311"
        if self._broker.kind.cost is not None:
            self._show.say(f"{self._broker.kind.cost}\n")
        self._show.say(
            "The line runs. Where to look:\n"
            f"  health      http://127.0.0.1:{self._http_port}/healthz   (the box's page: /)\n"
            f"  predict     http://127.0.0.1:{self._rest_port}/v1/models/demo:predict   "
            f"(TensorFlow Serving's REST; its gRPC: port {self._grpc_port})\n"
            f"  results     MQTT topic {BASE_TOPIC}/{CAMERA}/result on 127.0.0.1:{port}\n"
            f"  follow them {program} results tail --config {shown(self._state / 'appliance.toml')}\n"
            f"  subscribe   mosquitto_sub -V {version} -p {port} -t '{BASE_TOPIC}/#' -v\n"
            f"  models      {shown(self._registry)}   (their way onto the box: {program} deployments --watch)\n"
            f"  push one    {program} deploy FOLDER {shown(self._registry)} \\\n"
            f"                --key {shown(self._state / 'keys/demo.key')} --model demo --version N\n"
            f"  log         {shown(self._state / 'appliance.log')}\n"
            f"  settings    {shown(self._state / 'appliance.toml')}\n"
            + ("Ctrl-C ends it.\n" if self._settings.parts is None and not self._settings.tour else "")
        )

    def _conclude(self, code: int) -> None:
        self._show.summary()
        if code != 0:
            log = (self._state / "appliance.log").read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
            self._show.say(f"The appliance ended with code {code}. The end of its log:\n" + "\n".join(log))
        elif self._settings.parts is not None and self._show.parts < self._settings.parts:
            self._show.say(f"{self._settings.parts - self._show.parts} results did not arrive before the end.")

    def _start_line(self) -> None:
        command = [sys.executable, "-m", "appliance.cli", "run", "--config", str(self._state / "appliance.toml")]
        command += ["--parts", str(self._settings.parts)] if self._settings.parts else ["--once"]
        with (self._state / "appliance.log").open("wb") as log:
            self._line = subprocess.Popen(
                dies_with_us(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _ask_to_end(self, line: "subprocess.Popen[bytes]") -> None:
        """Once, politely: it delivers what it has. Where it does not end within its limit, at once."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            line.terminate()
        elif time.monotonic() - self._asked_at > _STOP_S:
            line.kill()

    def _end_line(self) -> None:
        """Nothing that was started outlives the demo."""
        if self._line is None or self._line.poll() is not None:
            return
        self._line.terminate()
        try:
            self._line.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._line.kill()
            self._line.wait()

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupted.set()

    # The configuration -------------------------------------------------------------------------------------------

    def _write_config_except_broker(self) -> dict[str, Any]:
        """Everything but the broker's port, checked before anything is started."""
        settings = self._settings
        if settings.pictures is not None and settings.model is None:
            raise DemoError(
                "--folder needs --model: the embedded model knows the virtual parts only. "
                "Give the SavedModel that was trained on such pictures."
            )
        base = self._versions(settings.model)
        if settings.tour:
            versions = sorted(
                (entry for entry in base.iterdir() if entry.name.isdecimal()), key=lambda one: int(one.name)
            )
            self._tour = Tour(self._state, versions[-1], self._registry, self._show)
        camera: dict[str, Any] = {"driver": "virtual", "seed": settings.seed}
        if settings.pictures is not None:
            if not settings.pictures.is_dir():
                raise DemoError(f"--folder {settings.pictures} is no folder; give one with pictures in it.")
            camera = {"driver": "folder", "folder": str(settings.pictures.resolve()), "repeat": bool(settings.parts)}
        return {
            "station": {"name": "demo-box", "state_folder": str(self._state / "state"), "log_level": "info"},
            f"cameras.{CAMERA}": {"recipe": "demo", "trigger": "timer", "takt_ms": settings.takt_ms},
            f"cameras.{CAMERA}.camera": camera,
            "recipes.demo": {"model": "demo", "deadline_ms": min(_DEADLINE_MS, settings.takt_ms)},
            "models.demo": {"base_path": str(base)},
            "models.demo.delivery": {
                "source": self._registry,
                "trusted_keys": [str(self._public_key())],
                "poll_s": 2,
            },
            # Short proofs, for a demonstration; and a shadow that lets a disappointing model through, so that there is
            # something to roll back.
            "models.demo.delivery.shadow": {"parts": 20, "at_least_s": 2, "min_agreement": 0.2, "max_slower": 100},
            "models.demo.delivery.probation": {"parts": 40, "at_least_s": 2, "max_fail_rise": 0.1},
            "http": {"port": self._http_port},
            "serving": {"grpc_port": self._grpc_port, "rest_port": self._rest_port},
        }

    def _public_key(self) -> Path:
        """Of the pair that signs the demo's packages, made at the first start."""
        folder = self._state / "keys"
        private, public = folder / "demo.key", folder / "demo.pub"
        if not public.exists():
            folder.mkdir(parents=True, exist_ok=True)
            new_key_pair(private, public)
        Path(self._state / "registry").mkdir(exist_ok=True)
        return public

    def _versions(self, model: Path | None) -> Path:
        """The folder of numbered versions; a single SavedModel is given the number 1 by a link."""
        if model is None:
            return _EMBEDDED_MODEL
        if not (model / "saved_model.pb").exists():
            return model.resolve()
        if model.name.isdecimal():
            return model.resolve().parent
        base = self._state / "model"
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir()
        (base / "1").symlink_to(model.resolve(), target_is_directory=True)
        return base

    def _write_config(self, sections: dict[str, Any]) -> None:
        sections["mqtt"] = {"host": "127.0.0.1", "port": self._broker.port, "base_topic": BASE_TOPIC}
        if self._broker.kind.protocol != "5":
            sections["mqtt"]["protocol"] = self._broker.kind.protocol
        lines = ["# Written by `appliance demo`; a start for your own. All keys: appliance example-config"]
        for name, values in sections.items():
            lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        if self._settings.pictures is None and self._settings.model is None:
            lines += [
                "",
                resources.files("appliance.demo").joinpath("quality.toml").read_text(encoding="utf-8").rstrip(),
            ]
        (self._state / "appliance.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _http_port(wanted: int | None) -> int:
    """The port asked for, which has to be free; else the usual one, or any where that is taken."""
    if wanted is None:
        return _usual_or_free(_USUAL_PORT)
    found = _free(wanted)
    if found is None:
        raise DemoError(f"The port {wanted} of 127.0.0.1 is in use; leave --http-port out to take a free one.")
    return found


def _usual_or_free(usual: int) -> int:
    return _free(usual) or _free(0) or usual


def _free(port: int) -> int | None:
    """The port, or of 0 any, where nobody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return None
        return int(probe.getsockname()[1])
