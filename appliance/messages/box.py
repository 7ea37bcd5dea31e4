"""Which box speaks: what of the operator's file decides which topics there are. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from appliance.messages import catalogue
from appliance.messages.topic import Direction, Root, Topic
from appliance.mqtt.config import MqttConfig


@dataclass(frozen=True, slots=True)
class Box:
    """One box. Immutable."""

    station: str
    version: str
    """The appliance's own."""
    mqtt: MqttConfig
    cameras: tuple[str, ...]
    groups: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """The delivered ones."""
    sparkplug: tuple[str, str] | None = None
    """Group and node, where that view is wanted."""
    home_assistant: str | None = None
    """The discovery prefix, where that is wanted."""

    def topics(self) -> tuple[Topic, ...]:
        """Those of the catalogue that this box has."""
        given = self._given()
        return tuple(one for one in catalogue.CATALOGUE if one.needs is None or one.needs in given)

    def values(self, topic: Topic, parameter: str) -> tuple[str, ...]:
        """What may stand for a parameter; empty where that is not known beforehand."""
        group, node = self.sparkplug or ("", "")
        known = {
            "camera": self.cameras if topic.name == "recipe" else self.cameras + self.groups,
            "device": self.cameras,
            "model": self.models,
            "consumer": self.mqtt.consumers,
            "prefix": (self.home_assistant,) if self.home_assistant else (),
            "group": (group,),
            "node": (node,),
        }
        return known.get(parameter, ())

    def address(self, topic: Topic) -> str | None:
        """The whole topic, with its parameters in braces; None where the other side names it."""
        if topic.root is Root.NAMED:
            return None
        return f"{self.mqtt.base_topic}/{topic.pattern}" if topic.root is Root.BASE else topic.pattern

    def filters(self) -> tuple[str, ...]:
        """What it subscribes to: whole topics, with `+` for a level that is not known beforehand."""
        heard = (topic for topic in self.topics() if topic.direction is Direction.READ)
        return tuple(dict.fromkeys(filter_ for topic in heard for filter_ in self._filters(topic)))

    def _filters(self, topic: Topic) -> Iterator[str]:
        address = self.address(topic) or ""
        known = [self.values(topic, parameter) or ("+",) for parameter in topic.parameters]
        for values in product(*known):
            yield address.format(**dict(zip(topic.parameters, values, strict=True)))

    def _given(self) -> set[str]:
        mqtt = self.mqtt
        said = {
            catalogue.DESIRED: mqtt.desired and bool(self.models),
            catalogue.CONSUMERS: bool(mqtt.consumers),
            catalogue.DELIVERY: bool(self.models),
            catalogue.DELIVERIES: len(self.models) > 1,
            catalogue.SPARKPLUG: self.sparkplug is not None,
            catalogue.HOME_ASSISTANT: self.home_assistant is not None,
            catalogue.ANSWERS: bool(mqtt.commands) or (mqtt.desired and bool(self.models)),
        }
        return {need for need, is_met in said.items() if is_met} | {catalogue.command(verb) for verb in mqtt.commands}
