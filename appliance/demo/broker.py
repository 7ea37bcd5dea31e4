"""A private broker on loopback, as a child of the demo: Mosquitto, or amqtt where that cannot be installed."""

import importlib.util
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from enum import Enum
from pathlib import Path
from typing import Final, Literal

from appliance.demo.children import dies_with_us
from appliance.errors import ApplianceError

_PLACES: Final = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")
_START_S: Final = 15.0
_STOP_S: Final = 5.0
_LARGEST_MESSAGE: Final = 262_144
_MOSQUITTO: Final = """\
# Written by `appliance demo`, for itself: a plant's broker is configured as deploy/broker/mosquitto.conf is.
# Loopback only, and gone with the demo: whoever is on this computer may listen.
listener {port} 127.0.0.1
allow_anonymous true
persistence false
# Whoever changes the user is not told any more that the demo has died.
user {user}
max_connections 100
max_packet_size {largest}
message_size_limit {largest}
# Its own 20 would be less than the appliance's window.
max_inflight_messages 100
# For a subscriber that is away for some minutes of the demo; its own 1000 would be dropped from in silence.
max_queued_messages 100000
max_queued_bytes 67108864
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
"""


class BrokerError(ApplianceError):
    """The demo's broker is not there, does not start, or ended."""


class BrokerKind(Enum):
    """Which program is the broker."""

    MOSQUITTO = "mosquitto"
    AMQTT = "amqtt"

    @property
    def protocol(self) -> Literal["5", "3.1.1"]:
        """The newest MQTT that it speaks."""
        return "5" if self is BrokerKind.MOSQUITTO else "3.1.1"

    @property
    def cost(self) -> str | None:
        """What it costs to have this one, in a sentence."""
        if self is BrokerKind.MOSQUITTO:
            return None
        return (
            "The broker is amqtt, over MQTT 3.1.1: a message that it refuses looks like a delivered one, none carries "
            "CloudEvents attributes, and it is slower. It is for this demo only; with Mosquitto installed "
            "(apt install mosquitto) it would be MQTT 5."
        )


def choose(wanted: BrokerKind | None = None) -> BrokerKind:
    """The one asked for, else the best that is installed. Raises: BrokerError."""
    can = {BrokerKind.MOSQUITTO: _mosquitto() is not None, BrokerKind.AMQTT: _has_amqtt()}
    if wanted is not None and not can[wanted]:
        how = "apt install mosquitto" if wanted is BrokerKind.MOSQUITTO else "pip install 'amqtt>=0.12.1'"
        raise BrokerError(f"The broker {wanted.value} is not installed: {how}, or leave --broker out.")
    found = wanted or next((kind for kind in BrokerKind if can[kind]), None)
    if found is None:
        raise BrokerError(
            "No MQTT broker is installed: apt install mosquitto (as root), or pip install 'amqtt>=0.12.1' where that "
            "cannot be."
        )
    return found


_LISTENS: Final = {BrokerKind.MOSQUITTO: b" running\n", BrokerKind.AMQTT: b" bind to 127.0.0.1:"}


class Broker:
    """Started by start(), on a free port; ended by stop()."""

    def __init__(self, folder: Path, kind: BrokerKind) -> None:
        """`folder` takes its configuration and log."""
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.kind = kind
        self.port = 0

    @property
    def log(self) -> Path:
        """What it says."""
        return self._folder / f"{self.kind.value}.log"

    def start(self) -> None:
        """Blocks until it listens. Raises: BrokerError."""
        self.port = _free_port()
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C is for the line, which still has results to deliver.
            self._process = subprocess.Popen(
                dies_with_us(self._command()), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Raises: BrokerError where it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise BrokerError(
                f"The demo's broker {self.kind.value} ended by itself (code {self._process.returncode}), and so does "
                f"the demo; its log is {self.log}. What it had not taken is on the disk, in the outbox."
            )

    def stop(self) -> None:
        """End it. May be called twice."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _command(self) -> list[str]:
        if self.kind is BrokerKind.MOSQUITTO:
            config = self._folder / "mosquitto.conf"
            config.write_text(
                _MOSQUITTO.format(port=self.port, largest=_LARGEST_MESSAGE, user=_user()), encoding="utf-8"
            )
            return [_mosquitto() or "mosquitto", "-c", str(config)]
        config = self._folder / "amqtt.yaml"  # JSON is YAML
        # Named plugins only: those that come by themselves write every packet into the log.
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        listener = {"type": "tcp", "bind": f"127.0.0.1:{self.port}", "max_connections": 100}
        config.write_text(
            json.dumps({"listeners": {"default": listener}, "plugins": plugins}, indent=1), encoding="utf-8"
        )
        return [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(config)]

    def _wait(self) -> None:
        """Its own word counts: on its port somebody else might answer."""
        limit = time.monotonic() + _START_S
        while time.monotonic() < limit and self._process is not None and self._process.poll() is None:
            if _LISTENS[self.kind] in self.log.read_bytes():
                return
            time.sleep(0.02)
        raise BrokerError(f"The demo's broker {self.kind.value} did not start; its log is {self.log}.")


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or next((place for place in _PLACES if Path(place).exists()), None)


def _has_amqtt() -> bool:
    return importlib.util.find_spec("amqtt") is not None


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
