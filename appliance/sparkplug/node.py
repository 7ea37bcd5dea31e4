"""The edge node: what it says, and when. Pure: no thread, no clock, no I/O; every call returns what is to be done."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.sparkplug import codec
from appliance.sparkplug.codec import DataType, Metric, Payload, Value
from appliance.sparkplug.device import Device
from appliance.sparkplug.errors import Undecodable
from appliance.sparkplug.host import Host
from appliance.sparkplug.metrics import BD_SEQ, REBIRTH, Metrics, node_types
from appliance.sparkplug.states import Act, Event, State, step

_log = logging.getLogger(__name__)

REBIRTH_EVERY_S: Final = 1.0
"""Who asks for births more often gets them together, and no data meanwhile."""
HOST_PATIENCE_S: Final = 5.0
"""Where there are several servers: how long one may know nothing of the primary host."""
_SEQUENCES: Final = 256
_NAMED_MAX: Final = 16
"""Unknown commands that are named in the log, once each."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now."""

    utc_ms: int
    monotonic_s: float


@dataclass(frozen=True, slots=True)
class Say:
    """Publish this, not retained."""

    topic: str
    payload: bytes
    qos: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for these topics, with QoS 1."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """End this connection; its death was said."""


Output = Say | Subscribe | Leave


@dataclass(frozen=True, slots=True)
class DeviceNews:
    """How it is with one device."""

    is_alive: bool
    values: Mapping[str, Value]


class Node:
    """Of one box. Calls come in the order in which things happen."""

    def __init__(
        self,
        group: str,
        name: str,
        devices: Sequence[str],
        *,
        models: Sequence[str] = (),
        host: Host | None = None,
        has_other_servers: bool = False,
    ) -> None:
        self._group = group
        self._name = name
        self._devices = {device: Device(device) for device in devices}
        self._metrics = Metrics(node_types(models))
        self._host = host
        self._has_other_servers = has_other_servers
        self._bd_seq = 0
        self._seq = 0
        self._since_s = 0.0
        self._reborn_s = float("-inf")
        self._strangers: set[str] = set()
        self.state = State.AWAY
        self.births = 0
        """NBIRTHs since the start."""

    @property
    def is_live(self) -> bool:
        """Parts may be told."""
        return self.state is State.LIVE

    def will(self, bd_seq: int, now: Moment) -> Say:
        """What the server says for us in the session of this number once we are gone: also what we say ourselves."""
        metric = Metric(BD_SEQ, DataType.INT64, bd_seq, now.utc_ms)
        return Say(self._topic("NDEATH"), codec.encode(Payload(now.utc_ms, [metric], None), with_datatypes=True), qos=1)

    def opened(self, bd_seq: int, server: str, now: Moment) -> list[Output]:
        """A server let us in, with the will of this number."""
        self._bd_seq = bd_seq
        self._reborn_s = float("-inf")
        if self._host is not None:
            self._host.came_to(server)
        return self._take(Event.OPENED, now)

    def granted(self, now: Moment) -> list[Output]:
        """Our subscriptions are in force."""
        outputs = self._take(Event.GRANTED, now)
        if self._host is None or self._host.is_online:
            outputs += self._take(Event.HOST_ONLINE, now)
        return outputs

    def received(self, topic: str, payload: bytes, now: Moment) -> list[Output]:
        """A message for us."""
        if self._host is not None and topic == self._host.topic:
            if not self._host.heard(payload):
                return []
            return self._take(Event.HOST_ONLINE if self._host.is_online else Event.HOST_OFFLINE, now)
        if topic == self._topic("NCMD") and self._asks_for_rebirth(payload):
            soon = now.monotonic_s - self._reborn_s < REBIRTH_EVERY_S
            return self._rebirth(Event.REBIRTH_SOON if soon else Event.REBIRTH, now)
        return []

    def closed(self, now: Moment) -> None:
        """The connection is gone."""
        self._take(Event.CLOSED, now)

    def leave(self, now: Moment) -> list[Output]:
        """The box stops."""
        return self._take(Event.LEAVE, now)

    def tick(self, now: Moment) -> list[Output]:
        """What is due by now."""
        if self.wait_s(now) > 0:
            return []
        if self.state is State.PAUSED:
            return self._rebirth(Event.REBIRTH, now)
        return self._take(Event.HOST_SILENT, now)

    def wait_s(self, now: Moment) -> float:
        """Seconds until tick() has something to do."""
        if self.state is State.PAUSED:
            return self._reborn_s + REBIRTH_EVERY_S - now.monotonic_s
        if self.state is State.WAITING and self._has_other_servers and self._host is not None:
            if self._host.is_online is False:
                return 0.0
            return self._since_s + HOST_PATIENCE_S - now.monotonic_s
        return float("inf")

    def report(self, values: Mapping[str, Value], devices: Mapping[str, DeviceNews], now: Moment) -> list[Output]:
        """How it is with the box and its devices: told where it changed, and nothing else."""
        outputs: list[Output] = []
        changed = self._metrics.put(values, now.utc_ms)
        if changed and self.is_live:
            outputs.append(self._data("NDATA", self._metrics.told(changed), now))
        for name, news in devices.items():
            if name in self._devices:
                outputs += self._report_device(self._devices[name], news, now)
        return outputs

    def remember(self, device: str, values: Mapping[str, Value], at_ms: int) -> None:
        """The newest part until now: what the next birth tells of it. Nothing is said."""
        if device in self._devices:
            self._devices[device].metrics.put(values, at_ms)

    def part(
        self, device: str, values: Mapping[str, Value], at_ms: int, now: Moment, *, is_historical: bool
    ) -> list[Output]:
        """One part, all its values in one message. Only while `is_live`."""
        known = self._devices.get(device)
        if known is None or not self.is_live:
            return []
        known.metrics.put(values, at_ms)
        if not known.is_alive:
            known.hold(known.metrics.of(values, at_ms, is_historical=True))
            return []
        return [self._data("DDATA", known.metrics.of(values, at_ms, is_historical=is_historical), now, device)]

    def _take(self, event: Event, now: Moment) -> list[Output]:
        before = self.state
        self.state, act = step(before, event)
        if self.state is not before:
            self._since_s = now.monotonic_s
        match act:
            case Act.NOTHING:
                return []
            case Act.SUBSCRIBE:
                states = () if self._host is None else (self._host.topic,)
                return [Subscribe((self._topic("NCMD"), *states))]
            case Act.BEAR:
                return self._bear(now)
            case Act.DIE:
                return [self.will(self._bd_seq, now), Leave()]

    def _rebirth(self, event: Event, now: Moment) -> list[Output]:
        outputs = self._take(event, now)
        if outputs:
            self._reborn_s = now.monotonic_s
            _log.info("a Sparkplug host asked for the births again")
        return outputs

    def _bear(self, now: Moment) -> list[Output]:
        self.births += 1
        self._seq = 0
        metrics = [
            *self._metrics.born(now.utc_ms),
            Metric(BD_SEQ, DataType.INT64, self._bd_seq, now.utc_ms),
            Metric(REBIRTH, DataType.BOOLEAN, value=False, timestamp_ms=now.utc_ms),
        ]
        alive = [device for device in self._devices.values() if device.is_alive]
        outputs = [self._said("NBIRTH", metrics, now, is_birth=True)]
        outputs += [self._birth(device, now) for device in alive]
        for device in alive:
            outputs += self._release(device, now)
        return outputs

    def _report_device(self, device: Device, news: DeviceNews, now: Moment) -> list[Output]:
        was_alive, device.is_alive = device.is_alive, news.is_alive
        changed = device.metrics.put(news.values, now.utc_ms)
        if not self.is_live:
            return []
        if news.is_alive and not was_alive:
            return [self._birth(device, now), *self._release(device, now)]
        if was_alive and not news.is_alive:
            return [self._data("DDEATH", [], now, device.name)]
        if changed and news.is_alive:
            return [self._data("DDATA", device.metrics.told(changed), now, device.name)]
        return []

    def _birth(self, device: Device, now: Moment) -> Output:
        return self._said("DBIRTH", device.metrics.born(now.utc_ms), now, device.name, is_birth=True)

    def _release(self, device: Device, now: Moment) -> list[Output]:
        return [self._data("DDATA", metrics, now, device.name) for metrics in device.release()]

    def _data(self, verb: str, metrics: Sequence[Metric], now: Moment, device: str | None = None) -> Output:
        return self._said(verb, metrics, now, device, is_birth=False)

    def _said(
        self, verb: str, metrics: Sequence[Metric], now: Moment, device: str | None = None, *, is_birth: bool
    ) -> Output:
        payload = Payload(now.utc_ms, metrics, self._seq)
        self._seq = (self._seq + 1) % _SEQUENCES
        return Say(self._topic(verb, device), codec.encode(payload, with_datatypes=is_birth))

    def _asks_for_rebirth(self, payload: bytes) -> bool:
        try:
            told = codec.decode(payload).metrics
        except Undecodable as error:
            self._wonder(f"bytes that are no payload ({error})")
            return False
        for one in told:
            if one.name != REBIRTH:
                self._wonder(repr(one.name)[:100])
        return any(one.name == REBIRTH and one.value is True for one in told)

    def _wonder(self, what: str) -> None:
        if what not in self._strangers and len(self._strangers) < _NAMED_MAX:
            self._strangers.add(what)
            _log.warning("a Sparkplug host commanded %s: only %s is a command here; ignored", what, REBIRTH)

    def _topic(self, verb: str, device: str | None = None) -> str:
        whole = f"spBv1.0/{self._group}/{verb}/{self._name}"
        return whole if device is None else f"{whole}/{device}"
