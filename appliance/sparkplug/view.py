"""The live view: a thread that tells Sparkplug hosts what was recorded, beside the durable topics and never first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.health import DeviceHealth
from appliance.mqtt.config import MqttConfig
from appliance.sparkplug.config import SparkplugConfig
from appliance.status import LineStatus


@dataclass(frozen=True, slots=True)
class ViewState:
    """How it stands with the Sparkplug servers."""

    connected: bool
    server: str
    """host:port of the one it is at, or tries."""
    problem: str | None
    """One sentence for a person; None when parts are told as they are recorded."""
    births: int
    """NBIRTHs since start()."""
    host_online: bool | None
    """Whether the primary host is there; None where none is configured."""


class SparkplugView:
    """One thread, started by start(), owns the connection. The other methods are for any thread, and never wait."""

    def __init__(
        self,
        config: SparkplugConfig,
        mqtt: MqttConfig,
        station: str,
        outbox_folder: Path,
        cameras: Sequence[str],
        models: Sequence[str] = (),
    ) -> None:
        """Nothing is read or sent before start(). `cameras`: the cameras' and groups' names; `models`: theirs."""

    def start(self) -> None:
        """Begin. A server that is not there is no error: `state` tells of it."""
        raise NotImplementedError

    def reported(self, status: LineStatus, health: DeviceHealth, reasons: Sequence[str], *, broker: bool) -> None:
        """The line's newest status; `health` and its reasons' codes; whether the durable topics have their broker."""
        raise NotImplementedError

    def notify(self, row: int) -> None:
        """The line has recorded rows up to this one. A hint: without it they are found within a second."""
        raise NotImplementedError

    def state(self) -> ViewState:
        """How it stands; some microseconds."""
        raise NotImplementedError

    def stop(self, timeout_s: float) -> None:
        """Tell what is there, say good-bye (NDEATH), end; within about `timeout_s` seconds."""
        raise NotImplementedError
