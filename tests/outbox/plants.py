"""A box whose results are read by programs that ask for more: the gateway's parts for them, and such a program."""

import json
import threading

import paho.mqtt.client as paho
from outbox.brokers import BASE
from paho.mqtt.enums import CallbackAPIVersion
from running import until

from appliance.api.board import Board
from appliance.config import ApplianceConfig
from appliance.gateway.subscribers import Subscribers, topics_of
from appliance.outbox.sender.publisher import Publisher
from appliance.outbox.sender.replaying import Replays
from appliance.steering.inbox import Mail

CAMERAS = ("top", "side")


def config_of(folder, broker, **mqtt):
    """A box with the cameras top and side; its outbox is `folder`/outbox."""
    camera = {"recipe": "part", "takt_ms": 100, "camera": {"driver": "virtual"}}
    return ApplianceConfig.model_validate(
        {
            "station": {"name": "box1", "state_folder": folder},
            "cameras": dict.fromkeys(CAMERAS, camera),
            "recipes": {"part": {"model": "surface", "deadline_ms": 100}},
            "models": {"surface": {"base_path": "models"}},
            "mqtt": {
                "host": "127.0.0.1",
                "port": broker.port,
                "base_topic": BASE,
                "commands": ["replay"],
                **mqtt,
            },
        }
    )


class Station:
    """Publisher, replays and consumers as the gateway has them."""

    def __init__(self, folder, broker, **mqtt):
        folder.mkdir(exist_ok=True)
        self.config = config_of(folder, broker, **mqtt)
        self.config.outbox_folder.mkdir(exist_ok=True)
        self.board = Board()
        self.replays = Replays(self.config.mqtt.window)
        self.publisher = Publisher(
            self.config.outbox_folder,
            self.config.mqtt,
            "box1",
            topics=(*self.config.mqtt.command_topics, *topics_of(self.config)),
            on_received=self._received,
            replays=self.replays,
        )
        self.subscribers = Subscribers(self.config, self.publisher, self.replays, self.board)

    def _received(self, one):
        mail = Mail(
            one.topic.removeprefix(f"{BASE}/"),
            one.payload,
            one.retained,
            one.response_topic,
            one.correlation,
            one.attributes,
        )
        assert self.subscribers.take(mail)

    def start(self):
        self.publisher.start()
        self.subscribers.start()
        until(lambda: self.publisher.state().connected, "the broker", 10)
        return self

    def close(self):
        self.subscribers.stop()
        self.publisher.stop(1.0)


class Mes:
    """A program of the plant that asks for results again."""

    def __init__(self, broker, *, name="mes", protocol=paho.MQTTv5, stays=False, also=None):
        self.heard = []
        """Everything below `mes/` and on `<camera>/replay`, in order of arrival."""
        self.changed = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol)
        ready = threading.Event()
        below = [f"{camera}/replay" for camera in CAMERAS] + ([also] if also else [])  # +/replay has cmd/replay, too
        topics = ["mes/#", *(f"{BASE}/{one}" for one in below)]
        self.client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = self._take
        self.client.reconnect_delay_set(1, 1)
        if protocol == paho.MQTTv5:
            stay = paho.Properties(paho.PacketTypes.CONNECT)
            stay.SessionExpiryInterval = 600 if stays else 0
            self.client.connect("127.0.0.1", broker.port, clean_start=not stays, properties=stay)
        else:
            self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert ready.wait(10)

    def _take(self, _client, _data, message):
        with self.changed:
            self.heard.append(message)
            self.changed.notify_all()

    def asks(self, first, last, *, correlation=None, answer_to="mes/answers", retain=False, raw=None, **more):
        body = {"camera": "top", "from_sequence": first, "to_sequence": last, **more}
        properties = None
        if correlation is not None:
            properties = paho.Properties(paho.PacketTypes.PUBLISH)
            properties.ResponseTopic = answer_to
            properties.CorrelationData = correlation
        payload = json.dumps(body).encode() if raw is None else raw
        self.client.publish(f"{BASE}/cmd/replay", payload, qos=1, retain=retain, properties=properties)

    def says(self, topic, value, *, retain=True):
        payload = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.client.publish(f"{BASE}/{topic}", payload, qos=1, retain=retain).wait_for_publish(10)

    def on(self, topic, correlation=None):
        return [
            one
            for one in self.heard
            if one.topic == topic and (correlation is None or one.properties.CorrelationData == correlation)
        ]

    def wait(self, condition, what, timeout_s=20.0):
        with self.changed:
            assert self.changed.wait_for(condition, timeout_s), f"waited {timeout_s} s for {what}"

    def wait_closing(self, topic="mes/answers", correlation=None, timeout_s=20.0):
        """The closing message; and what came before it there, without the answer to the command."""

        def found():
            return [one for one in self.on(topic, correlation) if b'"missing":' in one.payload]

        self.wait(found, "the end of the replay", timeout_s)
        before = [one for one in self.on(topic, correlation) if b'"verb":' not in one.payload]
        return json.loads(found()[0].payload), before

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
