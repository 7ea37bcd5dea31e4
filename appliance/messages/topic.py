"""One kind of message that this box sends or reads: where, how, and what may stand in it. Pure."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from appliance.mqtt.topics import LEVEL_PATTERN

JSON: Final = "application/json"
RESERVED: Final = ("ack", "cmd", "deployment", "desired")
"""First levels below the base topic that are no camera's and no group's: theirs would be taken for other messages."""


class Direction(enum.Enum):
    """Seen from the box."""

    SENT = "sent"
    READ = "read"


class Root(enum.Enum):
    """Where a pattern begins."""

    BASE = "base"
    """Below `mqtt.base_topic`."""
    WHOLE = "whole"
    """It is the whole topic: another standard says how it is called."""
    NAMED = "named"
    """The other side names the topic in its message."""


@dataclass(frozen=True)
class Topic:
    """One kind of message and where it goes. Immutable."""

    name: str
    """Names it in documents and links: `result`, `cameraStatus`."""
    pattern: str
    """Levels, with `{camera}` and the like for one level each."""
    direction: Direction
    told: str
    """For somebody who subscribes or publishes there: a sentence or two."""
    schemas: tuple[str, ...] = ()
    """What a message may be: `result.json`, `recipe.json#/$defs/message`. Empty where it is no JSON."""
    retained: bool = False
    durable: bool = False
    """On the box's disk until the broker has acknowledged it: never lost."""
    qos: int = 1
    root: Root = Root.BASE
    content_type: str | None = JSON
    """As the MQTT 5 property; None where it has none."""
    event_type: str | None = None
    """CloudEvents' `type`, where the message carries its attributes."""
    answers: tuple[str, ...] = ()
    """Of a message that is read: schemas of what comes back on its response topic."""
    needs: str | None = None
    """The setting without which it is never there; None: always."""
    texts: tuple[bytes, ...] = field(default=())
    """Where it is no JSON: all that it may be. Empty for what is binary."""

    @cached_property
    def _whole(self) -> "re.Pattern[str]":
        parts = re.split(r"\{([a-z_]+)\}", self.pattern)
        level = rf"(?!(?:{'|'.join(RESERVED)})/){LEVEL_PATTERN}" if self.root is Root.BASE else "[^/+#]+"
        return re.compile(
            "".join(f"(?P<{part}>{level})" if number % 2 else re.escape(part) for number, part in enumerate(parts))
        )

    @property
    def parameters(self) -> tuple[str, ...]:
        """What stands in braces, from left to right."""
        return tuple(re.findall(r"\{([a-z_]+)\}", self.pattern))

    def values(self, topic: str) -> Mapping[str, str] | None:
        """What this topic (below the base, where the pattern is) says for each parameter; None: another one."""
        found = self._whole.fullmatch(topic)
        return None if found is None else found.groupdict()
