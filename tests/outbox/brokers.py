"""A real Mosquitto that can be killed, frozen and told to refuse; and a listener that keeps every message."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from running import free_port, until

BASE = "acme/north/assembly/line3/box1"

DURABLE = "persistence true\nautosave_on_changes true\nautosave_interval 1\n"
"""As safe as Mosquitto gets: what it acknowledged is on its disk, but for the very last moment."""


class Broker:
    """Mosquitto on loopback, with its own settings; always the same port."""

    _started: ClassVar[set["Broker"]] = set()

    def __init__(self, folder: Path, *, settings: str = "allow_anonymous true\n") -> None:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        if not Path(program).exists():
            pytest.skip("mosquitto is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        user = "user root\n" if os.geteuid() == 0 else ""
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\npersistence_location {folder}/\n{user}max_queued_messages 0\n{settings}"
        )
        self._command = [program, "-c", str(self._config)]
        self._process: subprocess.Popen | None = None

    def start(self) -> "Broker":
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        self._started.add(self)
        until(self._listens, "mosquitto to listen", 10)
        return self

    @classmethod
    def stop_all(cls) -> None:
        for one in list(cls._started):
            one.stop()

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None
        self._started.discard(self)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def reload(self) -> None:
        self._process.send_signal(signal.SIGHUP)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Heard:
    topic: str
    """Below the base topic."""
    payload: bytes
    retained: bool
    properties: dict

    @property
    def json(self) -> dict:
        return json.loads(self.payload)


class Listener:
    """Hears everything below the base topic; the broker keeps for it what comes while it is away."""

    def __init__(self, broker: Broker, *, name: str = "listener", user: str | None = None) -> None:
        self.heard: list[Heard] = []
        self.counts: Counter[str] = Counter()  # of each topic: what is quick to ask for at every message
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        if user is not None:
            self._client.username_pw_set(user, user)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.reconnect_delay_set(1, 1)
        stay = paho.Properties(paho.PacketTypes.CONNECT)
        stay.SessionExpiryInterval = 600
        self._client.connect("127.0.0.1", broker.port, clean_start=False, properties=stay)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def on(self, topic: str) -> list[Heard]:
        return [one for one in self.heard if one.topic == topic]

    def numbers(self, camera: str = "top") -> list[int]:
        """The sequences of results, first deliveries only, in the order of arrival."""
        return list(dict.fromkeys(one.json["sequence"] for one in self.on(f"{camera}/result")))

    def wait(self, condition: Callable[["Listener"], object], what: str, timeout_s: float = 20.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), timeout_s), f"waited {timeout_s} s for {what}"

    def wait_for(self, topic: str, payload: bytes, timeout_s: float = 20.0) -> None:
        self.wait(lambda it: any(one.payload == payload for one in it.on(topic)), f"{payload!r} on {topic}", timeout_s)

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        topic = message.topic.removeprefix(BASE + "/")
        properties = message.properties.json() if message.properties else {}
        with self._changed:
            self.heard.append(Heard(topic, message.payload, message.retain, properties))
            self.counts[topic] += 1
            self._changed.notify_all()
