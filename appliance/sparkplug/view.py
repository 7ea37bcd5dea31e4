"""The live view: a thread that tells Sparkplug hosts what was recorded, beside the durable topics and never first."""

import logging
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import __version__
from appliance.health import DeviceHealth
from appliance.mqtt.config import MqttConfig
from appliance.mqtt.connection import Will
from appliance.outbox.sender.identity import client_id
from appliance.sparkplug.config import SparkplugConfig
from appliance.sparkplug.follower import Follower
from appliance.sparkplug.host import Host
from appliance.sparkplug.metrics import camera_values, node_values
from appliance.sparkplug.node import DeviceNews, Node
from appliance.sparkplug.session import Session
from appliance.sparkplug.telling import Report, Telling, moment
from appliance.status import LineStatus

_log = logging.getLogger(__name__)

_PATIENCE_S: Final = 1.0
_LAST_WORDS_S: Final = 2.0
_DEAD: Final = frozenset({"offline", "disabled"})
"""States of a camera in which its device is dead."""


@dataclass(frozen=True, slots=True)
class ViewState:
    """How it stands with the Sparkplug servers."""

    connected: bool
    server: str
    """host:port of the one it is at, or tries."""
    problem: str | None
    """One sentence for a person; None when parts are told as they are recorded, or the primary host is not there."""
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
        """Nothing is sent before start().

        Args:
            config: group, node, servers.
            mqtt: how to connect; the server, where `config` names none.
            station: the box's name, part of its client id.
            outbox_folder: where parts are recorded, and where the number of the session is kept.
            cameras: the names of cameras and of groups of cameras: a device each.
            models: the names of the models.
        """
        servers = config.addresses or ((mqtt.host, mqtt.port),)
        self._host = None if config.primary_host is None else Host(config.primary_host)
        self._node = Node(
            config.group_id,
            config.edge_node_id or station,
            cameras,
            models=models,
            host=self._host,
            has_other_servers=len(servers) > 1,
        )
        known_as = f"{client_id(outbox_folder, station)}-spb"
        self._session = Session(mqtt, servers, known_as, outbox_folder, self._will)
        self._telling = Telling(self._node, self._session, Follower(outbox_folder), 1.5 * mqtt.keepalive_s)
        self._cameras = cameras
        self._wake, self._waker = socket.socketpair()
        self._wake.settimeout(0)
        self._waker.settimeout(0)

        self._lock = threading.Lock()
        # guarded by _lock:
        self._report: Report | None = None
        self._newest_row = 0
        self._leave_at_s: float | None = None

        self._end: str | None = None
        """Why the thread has ended, once it has."""
        self._thread = threading.Thread(target=self._run, name="sparkplug", daemon=True)

    def start(self) -> None:
        """Begin. A server that is not there is no error: `state` tells of it."""
        alike = [name for name, count in Counter(one.lower() for one in self._cameras).items() if count > 1]
        if alike:
            _log.warning("cameras differ by upper and lower case only (%s): Sparkplug hosts may mix them up", alike)
        self._thread.start()

    def reported(self, status: LineStatus, health: DeviceHealth, reasons: Sequence[str], *, broker: bool) -> None:
        """The line's newest status; `health` and its reasons' codes; whether the durable topics have their broker."""
        report = Report(
            node_values(status, health, reasons, broker=broker, software=__version__),
            {
                name: DeviceNews(camera.state not in _DEAD, camera_values(camera))
                for name, camera in (status.cameras | status.groups).items()
            },
        )
        with self._lock:
            self._report = report
        self._wake_up()

    def notify(self, row: int) -> None:
        """The line has recorded rows up to this one. A hint: without it they are found within a second."""
        with self._lock:
            self._newest_row = max(self._newest_row, row)
        self._wake_up()

    def state(self) -> ViewState:
        """How it stands; some microseconds."""
        return ViewState(
            connected=self._session.is_open,
            server=self._session.server,
            problem=self._end or self._telling.problem(),
            births=self._node.births,
            host_online=None if self._host is None else bool(self._host.is_online),
        )

    def stop(self, timeout_s: float) -> None:
        """Tell what is there, if it takes no longer than `timeout_s` seconds; say NDEATH; end.

        A thread that is just trying to connect has nothing to say: it is not waited for, and ends by itself.
        """
        with self._lock:
            self._leave_at_s = time.monotonic() + timeout_s
        self._wake_up()
        if self._thread.ident is not None:
            self._thread.join(timeout_s + _LAST_WORDS_S)

    def _wake_up(self) -> None:
        try:
            self._waker.send(b"!")
        except OSError:
            return  # so many are unread that it is awake, or it has ended

    def _will(self, number: int) -> Will:
        death = self._node.will(number, moment())
        return Will(death.topic, death.payload, retain=False)

    # ---- the view's thread

    def _run(self) -> None:
        try:
            if self._wait_for_line():
                while not self._may_leave():
                    with self._lock:
                        report, self._report = self._report, None
                        newest_row = self._newest_row
                    self._telling.step(report, newest_row, self._wake)
                    self._drain_wake()
                self._telling.say_goodbye()
        finally:
            # Also when a bug ends this thread: whoever asks for the state is to know it.
            self._end = "The Sparkplug view has ended; results go their way: restart the gateway"
            self._telling.close()
            self._wake.close()
            self._waker.close()

    def _wait_for_line(self) -> bool:
        """Births name what is there: first the line has to have said so. False where we leave before it does."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        has_begun = False
        while True:
            has_begun = has_begun or self._telling.begin()
            with self._lock:
                if self._leave_at_s is not None:
                    return False
                if has_begun and self._report is not None:
                    return True
            poll.poll(int(_PATIENCE_S * 1000))
            self._drain_wake()

    def _drain_wake(self) -> None:
        try:
            while self._wake.recv(4096):
                pass
        except BlockingIOError:
            return

    def _may_leave(self) -> bool:
        with self._lock:
            leave_at_s = self._leave_at_s
        return leave_at_s is not None and (self._telling.is_done or time.monotonic() > leave_at_s)
