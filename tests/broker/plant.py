"""The broker of deploy/broker as it is delivered, but for its port and its places; and clients with certificates."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from running import REPOSITORY, free_port, until

DEPLOY = REPOSITORY / "deploy" / "broker"
BASE = "acme/north/assembly/line3/box1"
OTHER = "acme/north/assembly/line3/box2"


def make_certificates(folder: Path, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is not there: no certificates can be made")
    command = [DEPLOY / "make-certificates", folder, *words]
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=60)


class Plant:
    """One broker and its accounts; start() and stop()."""

    def __init__(self, folder: Path, **changes: str) -> None:
        """`changes`: settings of mosquitto.conf with another value than the delivered one."""
        self.program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        if not Path(self.program).exists():
            pytest.skip("mosquitto is not installed")
        self.access = folder / "access"
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self.port = free_port()
        self.log = folder / "mosquitto.log"
        self._config = folder / "mosquitto.conf"
        self._changes = changes
        self._process: subprocess.Popen | None = None
        make_certificates(self.access, "broker", "localhost", "127.0.0.1")

    def account(self, *words: str) -> None:
        make_certificates(self.access, *words)

    def start(self) -> "Plant":
        text = (DEPLOY / "mosquitto.conf").read_text()
        for before, after in (
            ("listener 8883", f"listener {self.port} 127.0.0.1"),
            ("/etc/mosquitto/inspection/", f"{self.access / 'broker'}/"),
            ("/var/lib/mosquitto/", f"{self.state}/"),
        ):
            assert before in text
            text = text.replace(before, after)
        for name, value in self._changes.items():
            text, count = re.subn(rf"(?m)^{name} .*", f"{name} {value}", text)
            assert count == 1, name
        self._config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([self.program, "-c", str(self._config)], stdout=log, stderr=log)
        until(self._listens, f"mosquitto to listen; {self.log}", 10)
        return self

    def stop(self, number: int = 15) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def reload(self) -> None:
        self._process.send_signal(1)

    def files(self, name: str) -> tuple[Path, Path, Path]:
        place = self.access / "accounts" / name
        return place / "ca.crt", place / f"{name}.crt", place / f"{name}.key"

    def client(self, name: str | None, **more: object) -> "Client":
        return Client(self, name, **more)

    def _listens(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
        except OSError:
            return False
        return True


class Client:
    """One account at the broker, over MQTT 5 unless said otherwise."""

    def __init__(
        self, plant: Plant, name: str | None, *, said_name: str = "", will: str | None = None, expiry_s: int = 0
    ) -> None:
        """`name`: whose certificate; None: none. `said_name`: the user name that it claims."""
        self.heard: list[paho.MQTTMessage] = []
        self.code: object = None
        self.connack: Properties | None = None
        self.left: list[str] = []
        self._answers: dict[int, str] = {}
        self._changed = threading.Condition()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{name}-{said_name}",
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        ca, certificate, key = plant.files(name or "reader")
        self._client.tls_set(
            str(ca), *((str(certificate), str(key)) if name else (None, None)), tls_version=ssl.PROTOCOL_TLS_CLIENT
        )
        if said_name:
            self._client.username_pw_set(said_name, "guessed")
        if will is not None:
            self._client.will_set(will, b"offline", 1, retain=True)
        self._client.on_connect = self._connected
        self._client.on_disconnect = lambda *about: self._note(lambda: self.left.append(str(about[3])))
        self._client.on_message = lambda *about: self._note(lambda: self.heard.append(about[2]))
        self._client.on_publish = lambda _c, _d, mid, code, _p: self._answer(mid, str(code))
        self._client.on_subscribe = lambda _c, _d, mid, codes, _p: self._answer(mid, str(codes[0]))
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = expiry_s
        self._client.connect("127.0.0.1", plant.port, clean_start=not expiry_s, properties=properties)
        self._client.loop_start()
        self._wait(lambda: self.code is not None or self.left, "an answer to the connection")

    def publish(self, topic: str, payload: bytes = b"{}", *, retain: bool = False) -> str:
        """The broker's answer: Success, No matching subscribers, or why not."""
        mid = self._client.publish(topic, payload, qos=1, retain=retain).mid
        self._wait(lambda: mid in self._answers or self.left, f"an answer to a message on {topic}")
        return self._answers.get(mid, "gone")

    def publish_many(self, topic: str, count: int) -> None:
        """In turns: more than 65,535 at once are beyond MQTT's numbers."""
        for begun in range(0, count, 10_000):
            mids = [self._client.publish(topic, b"{}", qos=1).mid for _ in range(min(10_000, count - begun))]
            self._wait(lambda mids=mids: mids[-1] in self._answers, "the last answer", 120)
            self._answers.clear()

    def subscribe(self, pattern: str) -> str:
        _, mid = self._client.subscribe(pattern, qos=1)
        self._wait(lambda: mid in self._answers, f"an answer to {pattern}")
        return self._answers[mid]

    def topics(self) -> list[str]:
        return [one.topic for one in self.heard]

    def hears(self, topic: str, timeout_s: float = 10) -> bytes:
        self._wait(lambda: topic in self.topics(), f"a message on {topic}; heard: {self.topics()}", timeout_s)
        return next(one.payload for one in self.heard if one.topic == topic)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, _client: object, _data: object, _flags: object, code: object, properties: Properties) -> None:
        self.connack = properties
        self._note(lambda: setattr(self, "code", str(code)))

    def _answer(self, mid: int, said: str) -> None:
        self._note(lambda: self._answers.__setitem__(mid, said))

    def _note(self, change: object) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def _wait(self, condition: object, what: str, timeout_s: float = 10) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, timeout_s), f"waited {timeout_s} s for {what}"
