"""The board: what the gateway knows about the box at this moment, for everything that shows it.

The line reports whole snapshots, the gateway's own parts say what they find; the health server, the metrics and
the MQTT `health` topic read one `Overview`. A line that falls silent is a failure, whatever it said last.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from appliance.health import DeviceHealth, Reason, worst
from appliance.outbox.consumers import ConsumerLag
from appliance.status import LineStatus
from appliance.steering.counting import Counts
from appliance.steering.document import Document

LINE_SILENT_AFTER_S: Final = 3.0
"""A line that has not reported for this long is not judging parts, as far as anyone can tell."""

_SILENT_AFTER_NS: Final = round(LINE_SILENT_AFTER_S * 1e9)
_CLOCK_STEP_NS: Final = 1_000_000_000
_HEALTHS: Final = tuple(DeviceHealth)

_STARTING: Final = Reason(
    DeviceHealth.CHECK_FUNCTION,
    "LINE_STARTING",
    "line",
    "The line has not reported yet; it is starting, and parts that come now count as failed.",
)
_NOT_REPORTING: Final = Reason(
    DeviceHealth.FAILURE,
    "LINE_NOT_REPORTING",
    "line",
    f"The line has not reported for more than {LINE_SILENT_AFTER_S:g} s, so parts that come now count as failed; "
    "if this stays, restart the service and look for the cause in its journal.",
)


@dataclass(frozen=True, slots=True)
class MqttStatus:
    """The connection to the broker, as the publisher sees it."""

    connected: bool
    broker: str
    """host:port."""
    problem: str | None = None
    """Why it is not connected; one sentence."""
    acknowledged_total: int = 0
    """Results that the broker has acknowledged since the gateway started."""
    connects_total: int = 0
    """Connections made since the gateway started. Many in an hour: two boxes share one client id."""
    connected_since: str | None = None
    """RFC 3339; None while it is not connected."""
    refused_total: int = 0
    """Messages that the broker has refused since the gateway started; results among them are tried again."""
    unheard_total: int = 0
    """Results that it took although nobody subscribes to them; MQTT 5 only."""
    taken_per_s: float = 0.0
    """Results that it took in a second, over the last minute."""
    notices: tuple[str, ...] = ()
    """What will be a problem, or hides one; a sentence each."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How models come onto this box, as the delivery process sees it."""

    document: Document
    counts: Counts


@dataclass(frozen=True, slots=True)
class Overview:
    """The box at one moment. Immutable; nothing in it changes after it was handed out."""

    device_health: DeviceHealth
    since_utc: str
    """When `device_health` became what it is; RFC 3339 with Z."""
    reasons: tuple[Reason, ...]
    """The worst first."""
    live: bool
    """The line reports."""
    ready: bool
    """The line reports, and a part that came now would be judged."""
    line: LineStatus | None
    """What the line said last, however long ago; None before its first report."""
    line_age_s: float | None
    """How long ago that was."""
    mqtt: MqttStatus | None
    """None until the publisher has reported."""
    deliveries: Deliveries | None = None
    """None where no model is delivered, or the delivery process is away."""
    consumers: tuple[ConsumerLag, ...] = ()
    """How far behind the programs are that confirm what they have read; one for each of them and each camera."""

    def health_json(self) -> dict[str, Any]:
        """The device health as it stands in the MQTT `health` message and in `/healthz`."""
        return {
            "device_health": self.device_health.value,
            "since": self.since_utc,
            "reasons": [reason.as_json() for reason in self.reasons],
        }


class Board:
    """Thread-safe: any method from any thread; each holds the lock for microseconds."""

    def __init__(
        self, *, clock_ns: Callable[[], int] = time.monotonic_ns, utc_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._clock_ns = clock_ns
        self._utc_ns = utc_ns
        self._lock = threading.Lock()
        self._made_ns = clock_ns()
        # All below: guarded by _lock.
        self._line: LineStatus | None = None
        self._line_gone: Reason | None = None
        self._found: dict[str, tuple[Reason, ...]] = {}
        self._mqtt: MqttStatus | None = None
        self._deliveries: Deliveries | None = None
        self._consumers: tuple[ConsumerLag, ...] = ()
        self._health = DeviceHealth.CHECK_FUNCTION  # as at the last change, and since when
        self._since_ns = self._made_ns
        self._utc_offset_ns = utc_ns() - self._made_ns

    def line_reported(self, status: LineStatus) -> None:
        """The newest report of the line; an older one than the last is dropped."""
        with self._lock:
            if self._line is not None and status.at_ns < self._line.at_ns:
                return
            self._settle_locked()
            self._line = status
            self._line_gone = None
            self._settle_locked()

    def line_gone(self, sentence: str) -> None:
        """The line's process ended or closed its end, as `sentence` says; until it reports again."""
        with self._lock:
            self._settle_locked()
            self._line_gone = Reason(DeviceHealth.FAILURE, "LINE_GONE", "line", sentence)
            self._settle_locked()

    def set_reasons(self, component: str, reasons: Iterable[Reason]) -> None:
        """Say everything that the gateway has found about `component`; nothing clears it."""
        found = tuple(reasons)
        with self._lock:
            self._settle_locked()
            self._found[component] = found
            self._settle_locked()

    def mqtt_reported(self, status: MqttStatus) -> None:
        """The newest word about the broker; it is shown. What it means for the health, `set_reasons` says."""
        with self._lock:
            self._mqtt = status

    def deliveries_reported(self, deliveries: Deliveries | None) -> None:
        """The newest document of the delivery process; None while it is away."""
        with self._lock:
            self._deliveries = deliveries

    def consumers_reported(self, lags: Iterable[ConsumerLag]) -> None:
        """How far each consumer is behind; what it means for the health, `set_reasons` says."""
        found = tuple(lags)
        with self._lock:
            self._consumers = found

    def overview(self, now_ns: int) -> Overview:
        """Everything, as at `now_ns` on the monotonic clock."""
        with self._lock:
            reasons = self._reasons_locked(now_ns)
            health, since_ns = self._standing_locked(now_ns)
            line, silent = self._line, self._silent_locked(now_ns)
            live = line is not None and not silent and self._line_gone is None
            return Overview(
                device_health=health,
                since_utc=self._utc_locked(since_ns, now_ns),
                reasons=reasons,
                live=live,
                ready=live and line is not None and line.takes_parts,
                line=line,
                line_age_s=None if line is None else max(0, now_ns - line.at_ns) / 1e9,
                mqtt=self._mqtt,
                deliveries=self._deliveries,
                consumers=self._consumers,
            )

    def _silence_begins_locked(self) -> int:
        return (self._made_ns if self._line is None else self._line.at_ns) + _SILENT_AFTER_NS

    def _silent_locked(self, now_ns: int) -> bool:
        return now_ns > self._silence_begins_locked()

    def _reasons_locked(self, now_ns: int) -> tuple[Reason, ...]:
        reasons: list[Reason] = []
        if self._line_gone is not None:
            reasons.append(self._line_gone)
        elif self._silent_locked(now_ns):
            reasons.append(_NOT_REPORTING)
        elif self._line is None:
            reasons.append(_STARTING)
        if self._line is not None:
            reasons += self._line.reasons
        for found in self._found.values():
            reasons += found
        return tuple(sorted(reasons, key=lambda reason: _HEALTHS.index(reason.health), reverse=True))

    def _standing_locked(self, now_ns: int) -> tuple[DeviceHealth, int]:
        """The health now, and since when; between two changes only the line's silence can alter it."""
        health = worst(self._reasons_locked(now_ns))
        if health is self._health:
            return health, self._since_ns
        return health, max(self._since_ns, min(now_ns, self._silence_begins_locked()))

    def _settle_locked(self) -> None:
        """Before a change: a silence that went unasked for is dated. After it: the change itself is."""
        now_ns = self._clock_ns()
        health = worst(self._reasons_locked(now_ns))
        if health is not self._health:
            self._health, self._since_ns = self._standing_locked(now_ns)

    def _utc_locked(self, moment_ns: int, now_ns: int) -> str:
        # Kept as a monotonic moment and shown in UTC: a box whose clock was set after the start (no battery, no
        # network yet) then shows the right moment. Small differences are the reading's, and would make it flicker.
        offset_ns = self._utc_ns() - now_ns
        if abs(offset_ns - self._utc_offset_ns) > _CLOCK_STEP_NS:
            self._utc_offset_ns = offset_ns
        moment = datetime.fromtimestamp((moment_ns + self._utc_offset_ns) / 1e9, timezone.utc)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
