"""A box with a Sparkplug view, a broker behind a wiretap, and a host: what the rules are tried on."""

import json
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from outbox.brokers import Broker
from running import until
from sparkplug.google import parse, value_of
from sparkplug.wiretap import Ear, Wiretap

from appliance.health import DeviceHealth
from appliance.mqtt.config import MqttConfig
from appliance.outbox.store import Outbox
from appliance.sparkplug import codec
from appliance.sparkplug.codec import DataType, Metric, Payload
from appliance.sparkplug.config import SparkplugConfig
from appliance.sparkplug.view import SparkplugView
from appliance.status import CameraStatus, LineStatus, ModelStatus, OutboxStatus

GROUP = "acme-linz"
NODE = "line3-box1"
HOST = "scada"
CAMERAS = ("top", "side", "both")
NCMD = f"spBv1.0/{GROUP}/NCMD/{NODE}"
STATE = f"spBv1.0/STATE/{HOST}"


def of(verb, device=None):
    """The topic of this node's."""
    whole = f"spBv1.0/{GROUP}/{verb}/{NODE}"
    return whole if device is None else f"{whole}/{device}"


def names(payload):
    return [metric.name for metric in parse(payload).metrics]


def values(payload):
    return {metric.name: value_of(metric) for metric in parse(payload).metrics}


def now_ms():
    return time.time_ns() // 1_000_000


def rebirth_command(value=True):
    metric = Metric("Node Control/Rebirth", DataType.BOOLEAN, value, now_ms())
    return codec.encode(Payload(now_ms(), [metric], None), with_datatypes=True)


def state(online, timestamp_ms):
    return json.dumps({"online": online, "timestamp": timestamp_ms}).encode()


def status_of(cameras, groups=None, waiting=0):
    """The line's status with cameras in these states."""
    return LineStatus(
        at_ns=time.monotonic_ns(),
        started_utc="2026-11-21T00:00:00.000Z",
        station=NODE,
        phase="running",
        reasons=[],
        cameras={name: CameraStatus(state=state, serial=f"sn-{name}") for name, state in cameras.items()},
        models=[ModelStatus("surface", 7, "AVAILABLE", None, "litert", None, "sha256:x")],
        outbox=OutboxStatus(True, None, waiting, 0, 0.0, 0, 0),
        resident_bytes=0,
        takes_parts=True,
        groups={name: CameraStatus(state=state) for name, state in (groups or {}).items()},
    )


class Parts:
    """The line's outbox, and the parts that it recorded."""

    def __init__(self, folder):
        self.results = []
        self._heard = None
        self._rows = 0
        self._lock = threading.Lock()
        self._outbox = Outbox(folder, max_bytes=64 * 1024**2, on_recorded=self._recorded)
        self._outbox.start()

    def tell(self, view):
        self._heard = view

    def pass_by(self, camera="top", count=1, verdict="pass"):
        """Record so many parts, and wait until they are on the disk."""
        with self._lock:
            limit = self._rows + count
            for _ in range(count):
                nth = len(self.results)
                result = {
                    "schema_version": 1,
                    "result_id": f"id-{nth}",
                    "camera": camera,
                    "trigger_id": nth,
                    "verdict": verdict,
                    "evaluation": "OK" if verdict == "pass" else "NotOK",
                    "reason": None if verdict == "pass" else "CLASS_ABOVE_LIMIT",
                    "classes": [{"label": "good", "score": 0.75}],
                    "exposure_time_utc": _rfc3339(time.time_ns()),
                    "model": {"name": "surface", "version": 7, "digest": "sha256:"},
                    "processing_times": {"total_ms": 14.5},
                    "deadline_met": True,
                }
                self.results.append(result)
                self._outbox.append(camera, "result", result)
            until(lambda: self._rows >= limit, "the parts on the disk", 10)

    def close(self):
        self._outbox.close(1.0)

    def _recorded(self, recorded):
        self._rows += len(recorded)
        if self._heard is not None:
            self._heard.notify(recorded[-1].row)


class Box:
    """One life of the view after another, on one folder."""

    def __init__(self, folder: Path, port, protocol, **settings):
        self.folder = folder
        self.parts = Parts(folder)
        self.cameras = dict.fromkeys(CAMERAS, "online")
        self.waiting = 0
        self.health = DeviceHealth.NORMAL
        self._mqtt = MqttConfig(host="127.0.0.1", port=port, base_topic="a/b", protocol=protocol, keepalive_s=5)
        self._config = SparkplugConfig(**{"group_id": GROUP, **settings})
        self.view = None

    def start(self):
        self.view = SparkplugView(self._config, self._mqtt, NODE, self.folder, CAMERAS, ["surface"])
        self.parts.tell(self.view)
        self.view.start()
        self.report()
        return self

    def report(self, **changes):
        """The line says how it is."""
        cameras = dict(self.cameras)
        status = status_of(cameras, groups={"both": cameras.pop("both")}, waiting=self.waiting)
        self.view.reported(status, self.health, [], broker=True)

    def stop(self, timeout_s=2.0):
        if self.view is not None:
            self.view.stop(timeout_s)
            self.view = None

    def close(self):
        self.stop(0.0)
        self.parts.close()


@contextmanager
def server(folder):
    """A broker, a wiretap before it and an ear behind it."""
    broker = Broker(folder).start()
    wiretap = Wiretap(broker.port)
    ear = Ear(broker.port)
    try:
        yield broker, wiretap, ear
    finally:
        ear.close()
        wiretap.close()
        broker.stop()


def _rfc3339(utc_ns):
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(utc_ns // 1_000_000_000))
    return f"{moment}.{utc_ns // 1_000_000 % 1000:03d}Z"
