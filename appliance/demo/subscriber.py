"""A subscriber like any other: what the demo shows is what a PLC bridge would read."""

import json
import queue
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode


class Subscriber:
    """Puts every result of the station into `results`. The network thread is paho's; `results` is for one reader."""

    def __init__(self, port: int, base_topic: str, protocol: Literal["5", "3.1.1"] = "5") -> None:
        self.results: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.deployment: dict[str, Any] | None = None
        """What the box last said of a deployment; replaced whole."""
        self._topics = [(f"{base_topic}/+/result", 1), (f"{base_topic}/deployment", 1)]
        self._port = port
        spoken = paho.MQTTv5 if protocol == "5" else paho.MQTTv311
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=spoken)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._take

    def start(self) -> None:
        """Connect and subscribe, in the background."""
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()

    def stop(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(
        self, client: paho.Client, _data: Any, _flags: Any, _code: ReasonCode, _properties: Properties | None
    ) -> None:
        client.subscribe(self._topics)

    def _take(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        told = json.loads(message.payload)
        if message.topic.endswith("/result"):
            self.results.put(told)
        else:
            self.deployment = told
