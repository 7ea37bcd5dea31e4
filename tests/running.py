"""The real appliance as a child process, a real Mosquitto, and a subscriber: what the end-to-end tests stand on."""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from jsonschema import Draft202012Validator, FormatChecker
from paho.mqtt.enums import CallbackAPIVersion

from appliance.config import load_config

REPOSITORY = Path(__file__).parents[1]
DEMO_MODEL = REPOSITORY / "appliance" / "demo_model"
SCHEMA = json.loads((REPOSITORY / "appliance/inspection/result.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())
BASE = "test/site/area/line/box"


_PORTS: Final = range(12_000, 32_000)
"""Below those that Linux gives to outgoing connections: nothing takes one between here and its use."""
_order = itertools.count(os.getpid() * 7919)
"""Tests that run side by side begin in different places."""


def free_port() -> int:
    while True:
        port = _PORTS[next(_order) % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def open_to_all(folder: Path) -> None:
    """Everybody may read and enter it, and the folders of this test run above it."""
    for one in (folder, *folder.parents):
        if Path(tempfile.gettempdir()) in one.parents:
            one.chmod(one.stat().st_mode | 0o055)


def until(condition: Callable[[], Any], what: str, timeout_s: float = 60.0) -> Any:
    """Look until `condition` is true, and return it; fail with `what` when the time is over."""
    limit = time.monotonic() + timeout_s
    pause = threading.Event()
    while time.monotonic() < limit:
        found = condition()
        if found:
            return found
        pause.wait(0.02)
    raise AssertionError(f"waited {timeout_s} s for {what}")


class Mosquitto:
    """A broker on loopback; may be stopped and started again on the same port."""

    def __init__(self, folder: Path, *, extra: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nautosave_on_changes true\nautosave_interval 1\n"
            f"max_queued_messages 0\nuser root\n{extra}"
        )
        self._log = folder / "mosquitto.log"
        self._process: subprocess.Popen | None = None

    def start(self) -> "Mosquitto":
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(self._config)], stdout=log, stderr=log)
        until(self._listens, "mosquitto to listen", 10)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
        except OSError:
            return False
        return True


class Subscriber:
    """Keeps everything below the base topic: `results` in order of arrival, `latest` by topic."""

    def __init__(self, port: int) -> None:
        self.results: list[dict] = []
        self.gaps: list[dict] = []
        self.latest: dict[str, bytes] = {}
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="test-reader", protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        properties = paho.Properties(paho.PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self._client.reconnect_delay_set(1, 1)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def _take(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        topic = message.topic.removeprefix(BASE + "/")
        if topic.endswith("/result"):
            self.results.append(json.loads(message.payload))
        elif topic.endswith("/gap"):
            self.gaps.append(json.loads(message.payload))
        self.latest[topic] = message.payload

    def health(self) -> dict:
        return json.loads(self.latest.get("health", b"{}"))

    def codes(self) -> set[str]:
        return {reason["code"] for reason in self.health().get("reasons", [])}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Appliance:
    """`appliance run` on a configuration of the test's."""

    def __init__(self, folder: Path, broker_port: int, **changes: str) -> None:
        self.folder = folder
        self.http_port = free_port()
        self.config_file = folder / "appliance.toml"
        self.log_file = folder / "appliance.log"
        self.write_config(broker_port, **changes)
        self.process: subprocess.Popen | None = None

    def write_config(
        self,
        broker_port: int,
        *,
        camera: str = 'driver = "virtual"\nseed = 5',
        line: str = "takt_ms = 100",
        recipe: str = "deadline_ms = 100",
        model: str = "",
        base_path: Path | str = DEMO_MODEL,
        outbox: str = "",
        mqtt: str = "",
        serving: str = "enabled = false",
        extra: str = "",
    ) -> None:
        self.config_file.write_text(
            f"""
[station]
name = "test-box"
state_folder = "{self.folder / "state"}"
[cameras.top]
recipe = "part"
{line}
[cameras.top.camera]
{camera}
[recipes.part]
model = "surface"
{recipe}
[models.surface]
base_path = "{base_path}"
{model}
[mqtt]
host = "127.0.0.1"
port = {broker_port}
base_topic = "{BASE}"
{mqtt}
[outbox]
{outbox}
[http]
port = {self.http_port}
[serving]
{serving}
{extra}
"""
        )

    def start(self, *arguments: str) -> "Appliance":
        load_config(self.config_file)  # a mistake of the test's is seen here
        command = [sys.executable, "-m", "appliance.cli", "run", "--config", str(self.config_file), *arguments]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def stop(self, timeout_s: float = 30.0) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def wait(self, timeout_s: float = 60.0) -> int:
        assert self.process is not None
        return self.process.wait(timeout_s)

    def get(self, path: str) -> tuple[int, Any]:
        """Status and body of a request; status 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        except OSError:
            return 0, None
        try:
            return status, json.loads(body)
        except ValueError:
            return status, body.decode()

    def end(self) -> None:
        """Whatever the test did, nothing of it goes on."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)
