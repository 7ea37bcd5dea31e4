"""Everything that passes through a broker, as a subscriber of MQTT 5 and one of 3.1.1 hear it; and its catalogue."""

import json
import threading
from collections import Counter
from dataclasses import dataclass

import paho.mqtt.client as paho
from messages.boxes import faults
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from appliance.messages.catalogue import CATALOGUE, of_topic
from appliance.messages.topic import JSON, Direction, Topic

ANSWERS = "test/answers"
"""Where the tests want their answers: no topic of the box's."""


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    """As it was published: MQTT 5 only."""
    properties: dict

    @property
    def json(self) -> dict:
        return json.loads(self.payload)

    @property
    def attributes(self) -> dict[str, str]:
        return dict(self.properties.get("UserProperty", ()))


class Ear:
    """Hears all topics of the broker, from before the box is there."""

    def __init__(self, port: int, protocol: int = paho.MQTTv5) -> None:
        self.heard: list[Heard] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"ear-{protocol}", protocol=protocol)
        how = {"options": SubscribeOptions(qos=2, retainAsPublished=True)} if protocol == paho.MQTTv5 else {"qos": 2}
        self._client.on_connect = lambda client, *_: client.subscribe("#", **how)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def _take(self, _client, _data, message) -> None:
        properties = message.properties.json() if getattr(message, "properties", None) else {}
        self.heard.append(Heard(message.topic, message.payload, message.qos, message.retain, properties))

    def on(self, topic: str) -> list[Heard]:
        return [one for one in list(self.heard) if one.topic == topic]

    def say(self, topic: str, value, *, retain: bool = False, answer: str | None = None) -> None:
        """A message to the box; `answer`: its correlation data, and the last level of where its answer goes."""
        properties = paho.Properties(paho.PacketTypes.PUBLISH)
        if answer is not None:
            properties.ResponseTopic = f"{ANSWERS}/{answer}"
            properties.CorrelationData = answer.encode()
        payload = value if isinstance(value, bytes) else json.dumps(value).encode()
        self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)

    def payloads(self) -> Counter:
        return Counter((one.topic, one.payload) for one in list(self.heard))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


ANSWER = next(one for one in CATALOGUE if one.name == "answer")


def entry(heard: Heard, base: str) -> Topic | None:
    """What the catalogue says of it; None: the tests' own word, or one of nobody's."""
    if heard.topic.startswith(f"{ANSWERS}/"):
        return ANSWER
    return of_topic(heard.topic, base, Direction.SENT)


def wrong(heard: Heard, topic: Topic, base: str, *, is_5: bool = True, names: tuple[str, ...]) -> list[str]:
    """Everything in which a message is not what the catalogue says."""
    found = []
    if heard.qos != topic.qos:
        found.append(f"QoS {heard.qos}, not {topic.qos}")
    if heard.retain is not topic.retained and topic.name != "homeAssistantDevice":  # once more when it starts
        found.append(f"retain {heard.retain}, not {topic.retained}")
    if topic.schemas:
        said = [faults(one, heard.json) for one in topic.schemas]
        found += [] if [] in said else [str(said)]
    elif topic.texts and heard.payload not in topic.texts:
        found.append(f"{heard.payload!r} is none of {topic.texts}")
    values = topic.values(heard.topic.removeprefix(f"{base}/")) or {}
    if values.get("camera", names[0]) not in names:
        found.append(f"no camera {values['camera']}")
    if is_5:
        found += _wrong_properties(heard, topic, base)
    return found


def _wrong_properties(heard: Heard, topic: Topic, base: str) -> list[str]:
    found = []
    if heard.properties.get("ContentType") != topic.content_type:
        found.append(f"content type {heard.properties.get('ContentType')}, not {topic.content_type}")
    if topic.content_type == JSON and heard.properties.get("PayloadFormatIndicator") != 1:
        found.append("does not call itself UTF-8")
    if topic.name == "answer" and heard.properties.get("CorrelationData") is None:
        found.append("no correlation data")
    if "MessageExpiryInterval" in heard.properties and topic.durable:
        found.append("a result that may expire")
    attributes = heard.attributes
    if topic.event_type is None:
        return found + ([f"attributes {attributes}"] if attributes else [])
    said = heard.json
    camera = heard.topic.split("/")[-2]
    wanted = {"specversion": "1.0", "source": f"/{base}/{camera}", "type": topic.event_type}
    found += [f"{name} is {attributes.get(name)}" for name, value in wanted.items() if attributes.get(name) != value]
    number = said.get("sequence", f"{said.get('from_sequence')}-{said.get('to_sequence')}")
    if attributes.get("id") != f"{said['stream']}/{number}":
        found.append(f"id is {attributes.get('id')}")
    if not all(name.isalnum() and name == name.lower() for name in attributes):
        found.append(f"CloudEvents has no attributes such as {sorted(attributes)}")
    return found
