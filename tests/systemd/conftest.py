"""The appliance as deploy/install leaves it, in a machine of its own, with a broker and a subscriber outside."""

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from machine import CHECKOUT, Machine, MachineUnavailable, machine, wait_until

UNIT = "appliance.service"
STATE = "/var/lib/appliance"

# What differs from a plant's box, because the program belongs to a checkout: it and its interpreter may lie under
# /home or /root, which the unit closes. And nobody wants to wait half a minute for the watchdog.
FOR_TESTS = """[Service]
ProtectHome=tmpfs
BindReadOnlyPaths={paths}
WatchdogSec=6s
"""

CONFIG = """
[station]
name = "box"
[cameras.top]
recipe = "plate"
takt_ms = 100
[cameras.top.camera]
driver = "virtual"
width_px = 480
height_px = 300
[recipes.plate]
model = "demo"
deadline_ms = {deadline_ms}
[models.demo]
base_path = "{model}"
[mqtt]
host = "127.0.0.1"
port = {port}
base_topic = "test/{topic}"
{mqtt}
[http]
port = 0
"""


@pytest.fixture(scope="session")
def installed() -> Iterator[Machine]:
    """A machine on which deploy/install was run; the service is not started."""
    try:
        with machine() as box:
            box.lend_packages("/opt/appliance/.venv")
            box.run(str(CHECKOUT / "deploy" / "install"), timeout_s=120)
            drop_ins = box.path(f"/etc/systemd/system/{UNIT}.d")
            drop_ins.mkdir(exist_ok=True)
            (drop_ins / "tests.conf").write_text(FOR_TESTS.format(paths=f"{CHECKOUT} {sys.base_prefix}"))
            box.systemctl("daemon-reload")
            yield box
    except MachineUnavailable as reason:
        pytest.skip(str(reason))


class Subscriber:
    """Hears everything under a base topic; its lists grow on paho's thread."""

    def __init__(self, port: int, base_topic: str, **login: str) -> None:
        self.results: list[dict[str, Any]] = []
        self.retained: dict[str, str] = {}
        self._subscribed = threading.Event()
        self._base = base_topic
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if login:
            self._client.username_pw_set(**login)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{base_topic}/#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def _take(self, _client, _data, message) -> None:
        topic = message.topic.removeprefix(f"{self._base}/")
        if topic == "top/result":
            self.results.append(json.loads(message.payload))
        else:
            self.retained[topic] = message.payload.decode()

    def wait_for(self, more: int) -> list[dict[str, Any]]:
        """All results, once `more` have come from now on."""
        enough = len(self.results) + more
        wait_until(lambda: len(self.results) >= enough, f"{more} more results; so far {len(self.results)}")
        return list(self.results)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Broker:
    """A real Mosquitto outside the machine; it may be stopped and started again on the same port."""

    def __init__(self, folder: Path, settings: str = "allow_anonymous true") -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "mosquitto.conf").write_text(f"listener {self.port} 127.0.0.1\n{settings}\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert program, "mosquitto is not installed: apt install mosquitto"
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", self._folder / "mosquitto.conf"], stdout=log, stderr=log)
        wait_until(self._answers, "the broker's port to open")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    (folder := tmp_path / "broker").mkdir()
    started = Broker(folder)
    started.start()
    yield started
    started.stop()


class Box:
    """The installed service, as operations sees it."""

    def __init__(self, box: Machine, port: int, topic: str) -> None:
        self.machine = box
        self._port = port
        self._topic = topic

    def configure(self, mqtt: str = "", deadline_ms: int = 90) -> None:
        text = CONFIG.format(
            model=CHECKOUT / "appliance" / "demo_model",
            port=self._port,
            topic=self._topic,
            mqtt=mqtt,
            deadline_ms=deadline_ms,
        )
        self.machine.path("/etc/appliance/appliance.toml").write_text(text)

    def start(self) -> None:
        """Returns when the service has said READY."""
        done = self.machine.run("systemctl", "start", UNIT, check=False, timeout_s=90)
        assert done.returncode == 0, "\n".join(str(entry["MESSAGE"]) for entry in self.log())

    def stop(self) -> None:
        self.machine.systemctl("stop", UNIT, timeout_s=90)

    def show(self, name: str) -> str:
        return self.machine.show(UNIT, name)

    @property
    def main_pid(self) -> int:
        return int(self.show("MainPID"))

    def kill(self, signal: str) -> None:
        """Send a signal to the line's process, and to nothing else."""
        self.machine.systemctl("kill", "--kill-whom=main", f"--signal={signal}", UNIT)

    def log(self) -> list[dict[str, Any]]:
        """Its journal since it was started the first time in this test, and systemd's about it."""
        return self.machine.journal("--unit", UNIT)

    def said(self, words: str) -> bool:
        return any(words in str(entry["MESSAGE"]) for entry in self.log())


@pytest.fixture
def box(installed, broker, request) -> Iterator[Box]:
    """The service with a fresh state and configuration; ended after the test."""
    one = Box(installed, broker.port, request.node.name.replace("[", ".").replace("]", "")[:60])
    installed.path(STATE).mkdir(exist_ok=True)
    installed.run("sh", "-c", f"rm -rf {STATE}/*; journalctl --rotate --vacuum-time=1s >/dev/null 2>&1")
    one.configure()
    yield one
    installed.run("systemctl", "kill", "--signal=KILL", UNIT, check=False)
    installed.run("systemctl", "stop", UNIT, check=False, timeout_s=90)
    installed.run("systemctl", "reset-failed", UNIT, check=False)


@pytest.fixture
def subscribe(broker, box) -> Iterator[Callable[..., Subscriber]]:
    """Make subscribers of what the box publishes; all end with the test."""
    made: list[Subscriber] = []

    def make(**login: str) -> Subscriber:
        made.append(Subscriber(broker.port, f"test/{box._topic}", **login))
        return made[-1]

    yield make
    for one in made:
        one.stop()
