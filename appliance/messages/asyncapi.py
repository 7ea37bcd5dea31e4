"""The AsyncAPI 3.0 document of this very box: its broker, its topics, what stands in each message. Pure.

From the catalogue and the schemas, and from nothing else: what is true of one is true of the other. Schemas are copied
into it, so that the document is whole where the box cannot be reached.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from appliance.messages.box import Box
from appliance.messages.schemas import part
from appliance.messages.topic import Direction, Topic
from appliance.mqtt.topics import AVAILABILITY, OFFLINE

_BINDING: Final = "0.2.0"
_PARAMETERS: Final[Mapping[str, str]] = {
    "camera": "A camera, or a group of [parts].",
    "model": "A model whose versions are delivered.",
    "consumer": "A program that reads results, as in mqtt.consumers.",
    "object_id": "The box, as Home Assistant has it.",
    "prefix": "Home Assistant's discovery prefix.",
    "group": "Sparkplug's group id.",
    "node": "Sparkplug's edge node id: the station.",
    "device": "Sparkplug's device id: a camera.",
    "message_type": "NBIRTH, NDATA, NDEATH; DBIRTH, DDATA, DDEATH of a device.",
    "host": "Sparkplug's primary host id.",
}


def document(box: Box) -> dict[str, Any]:
    """The document, ready for JSON; some milliseconds."""
    topics = box.topics()
    mqtt = box.mqtt
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{box.station}: visual inspection over MQTT",
            "version": box.version,
            "description": "Everything that this box says and reads. One result for each part, in order, none "
            f"missing: `{mqtt.base_topic}/<camera>/result`. All else is for looking at, or for steering.",
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server(box)},
        "channels": {one.name: _channel(box, one) for one in topics},
        "operations": {_operation_name(one): _operation(one, topics) for one in topics},
        "components": {"schemas": _schemas(topics), "securitySchemes": _security(box)},
    }


def _server(box: Box) -> dict[str, Any]:
    mqtt = box.mqtt
    host = f"[{mqtt.host}]" if ":" in mqtt.host else mqtt.host
    return {
        "host": f"{host}:{mqtt.port}",
        "protocol": "mqtt" if mqtt.tls is None else "secure-mqtt",
        "protocolVersion": mqtt.protocol,
        "description": "The broker, by the name that the box knows it by.",
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _security(box)],
        "bindings": {
            "mqtt": {
                "cleanSession": True,
                "keepAlive": mqtt.keepalive_s,
                "lastWill": {
                    "topic": f"{mqtt.base_topic}/{AVAILABILITY}",
                    "qos": 1,
                    "message": OFFLINE.decode(),
                    "retain": True,
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _security(box: Box) -> dict[str, Any]:
    found = {}
    if box.mqtt.username is not None:
        found["password"] = {"type": "userPassword", "description": "A name and a password at the broker."}
    if box.mqtt.tls is not None and box.mqtt.tls.certificate_file is not None:
        found["certificate"] = {"type": "X509", "description": "A certificate that the broker knows."}
    return found


def _channel(box: Box, topic: Topic) -> dict[str, Any]:
    address = box.address(topic)
    channel: dict[str, Any] = {
        "address": address,
        "title": topic.name,
        "description": topic.told if topic.needs is None else f"{topic.told} Here because of {topic.needs}.",
        "messages": {name: _message(box, topic, name, of) for name, of in _messages(topic)},
    }
    if address is not None and topic.parameters:
        channel["parameters"] = {one: _parameter(one, box.values(topic, one)) for one in topic.parameters}
    if topic.durable:
        channel["tags"] = [{"name": "durable", "description": "On the box's disk until the broker has it."}]
    return channel


def _parameter(name: str, values: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"description": _PARAMETERS[name]}
    if values:
        found["enum"] = list(values)
    return found


def _messages(topic: Topic) -> Iterator[tuple[str, str | None]]:
    """By what it may be: its name within the channel, and the schema; None where it is no JSON."""
    if not topic.schemas:
        yield topic.name, None
    for one in topic.schemas:
        yield _component(one), one


def _message(box: Box, topic: Topic, name: str, of: str | None) -> dict[str, Any]:
    binding: dict[str, Any] = {"bindingVersion": _BINDING}
    found: dict[str, Any] = {"name": name, "contentType": topic.content_type or _kind(topic)}
    if of is not None:
        found |= {"title": part(of).get("title", name), "payload": {"$ref": f"#/components/schemas/{name}"}}
        found["examples"] = [{"payload": example} for example in examples().get(of, ())]
    elif topic.texts:
        found["payload"] = {"type": "string", "enum": [text.decode() for text in topic.texts]}
        found["examples"] = [{"payload": topic.texts[0].decode()}]
    else:
        found["payload"] = {"type": "string", "format": "binary"}
    if topic.content_type is not None and box.mqtt.protocol == "5":
        binding |= {"payloadFormatIndicator": 1, "contentType": topic.content_type}
    headers = _headers(box, topic)
    if headers:
        found["headers"] = {"type": "object", "properties": headers}
    if topic.answers:
        binding |= {
            "responseTopic": {"type": "string", "description": "Where the answer goes; not below the base topic."},
            "correlationData": {"type": "string", "description": "Comes back with the answer."},
        }
    return found | {"bindings": {"mqtt": binding}}


def _kind(topic: Topic) -> str:
    return "text/plain" if topic.texts else "application/octet-stream"


def _headers(box: Box, topic: Topic) -> dict[str, Any]:
    """MQTT 5's user properties: CloudEvents 1.0, binary mode."""
    if topic.answers:
        return {"responseTopic": {"type": "string", "description": "MQTT 5's Response Topic."}}
    if topic.event_type is None or not box.mqtt.cloudevents or box.mqtt.protocol != "5":
        return {}
    return {
        "specversion": {"const": "1.0"},
        "id": {
            "type": "string",
            "description": "stream/sequence; of a gap stream/first-last. Unique for the source.",
        },
        "source": {"type": "string", "format": "uri-reference", "description": "/<base>/<camera>"},
        "type": {"const": topic.event_type},
    }


def _operation_name(topic: Topic) -> str:
    verb = "send" if topic.direction is Direction.SENT else "receive"
    return verb + topic.name[0].upper() + topic.name[1:]


def _operation(topic: Topic, topics: tuple[Topic, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "action": "send" if topic.direction is Direction.SENT else "receive",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.told,
        "bindings": {"mqtt": {"qos": topic.qos, "retain": topic.retained, "bindingVersion": _BINDING}},
    }
    if topic.answers and any(one.name == "answer" for one in topics):
        found["reply"] = {
            "address": {"location": "$message.header#/responseTopic"},
            "channel": {"$ref": "#/channels/answer"},
            "messages": [{"$ref": f"#/channels/answer/messages/{_component(one)}"} for one in topic.answers],
        }
    return found


def _component(reference: str) -> str:
    """`result.json` is `result`, `recipe.json#/$defs/message` is `recipe_message`."""
    name, _, pointer = reference.partition("#")
    return "_".join([name.removesuffix(".json"), *pointer.replace("/$defs/", "/").split("/")[1:]])


def _schemas(topics: tuple[Topic, ...]) -> dict[str, Any]:
    """All that the messages need, each under a name of its own: AsyncAPI's tools know no `$defs`."""
    found: dict[str, Any] = {}
    wanted = [one for topic in topics for one in topic.schemas]
    while wanted:
        reference = wanted.pop()
        if _component(reference) not in found:
            name = reference.partition("#")[0]
            found[_component(reference)] = _copied(part(reference), name, wanted)
    return dict(sorted(found.items()))


def _copied(value: Any, name: str, wanted: list[str]) -> Any:
    """The same, its references to `$defs` turned into the document's own; those go to `wanted`."""
    if isinstance(value, list):
        return [_copied(one, name, wanted) for one in value]
    if not isinstance(value, Mapping):
        return value
    copied = {key: _copied(one, name, wanted) for key, one in value.items() if key not in {"$schema", "$id", "$defs"}}
    if isinstance(value.get("$ref"), str):
        wanted.append(f"{name}{value['$ref']}")
        copied["$ref"] = f"#/components/schemas/{_component(wanted[-1])}"
    return copied


@cache
def examples() -> Mapping[str, list[Any]]:
    """By schema: messages as somebody might see them."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("examples.json").read_bytes())
    return {name: [one] for name, one in found.items()}
