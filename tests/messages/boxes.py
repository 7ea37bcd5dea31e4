"""Boxes for whoever looks at what they say, and how to hold a message against its schema."""

from typing import get_args

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from appliance.messages.box import Box
from appliance.messages.schemas import PATHS, schema
from appliance.mqtt.config import Command, MqttConfig

BASE = "acme/north/assembly/line3/box1"
EVERYTHING = Box(
    station="line3-box1",
    version="1.2.3",
    mqtt=MqttConfig(
        host="broker.plant",
        base_topic=BASE,
        commands=get_args(Command),
        desired=True,
        consumers=("mes",),
        username="box1",
        tls={},
        port=8883,
    ),
    cameras=("top", "side.2"),
    groups=("housing",),
    models=("surface", "seal"),
    sparkplug=("acme", "box1"),
    home_assistant="homeassistant",
)
LITTLE = Box("box2", "1.2.3", MqttConfig(host="::1", base_topic="plant/box2", protocol="3.1.1"), ("top",))

_REGISTRY = Registry().with_resources((name, Resource.from_contents(schema(name))) for name in PATHS)


def validator(reference: str) -> Draft202012Validator:
    """Of `recipe.json#/$defs/message` and the like, formats checked."""
    return Draft202012Validator({"$ref": reference}, registry=_REGISTRY, format_checker=FormatChecker())


def faults(reference: str, message) -> list[str]:
    return [f"{'/'.join(map(str, one.path))}: {one.message}" for one in validator(reference).iter_errors(message)]
