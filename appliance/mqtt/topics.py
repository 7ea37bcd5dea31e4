"""What may be a level of an MQTT topic, and what a whole topic may be."""

import re
from typing import Final

LEVEL_PATTERN: Final = r"[A-Za-z0-9_.:-]{1,64}"
"""One level: no wildcards, no separators, no spaces, no `$`; readable in every tool that shows topics."""
BASE_PATTERN: Final = rf"^{LEVEL_PATTERN}(/{LEVEL_PATTERN}){{0,7}}$"
"""The station's place in the plant: `<enterprise>/<site>/<area>/<line>/<station>`, at most 8 levels."""

AVAILABILITY: Final = "availability"
"""Below the base topic: whether this box is there, as plain text."""
ONLINE: Final = b"online"
OFFLINE: Final = b"offline"

_LEVEL: Final = re.compile(LEVEL_PATTERN)
_SUFFIX: Final = re.compile(rf"{LEVEL_PATTERN}(/{LEVEL_PATTERN}){{0,2}}")
_TOPIC: Final = re.compile(rf"{LEVEL_PATTERN}(/{LEVEL_PATTERN}){{0,15}}")


def is_level(text: str) -> bool:
    """Whether `text` may stand between two slashes."""
    return _LEVEL.fullmatch(text) is not None


def is_suffix(text: str) -> bool:
    """Whether `text` may follow the base topic: `health`, `top/status`."""
    return _SUFFIX.fullmatch(text) is not None


def is_topic(text: str) -> bool:
    """Whether `text` is a whole topic of plain levels, such as `homeassistant/status`."""
    return _TOPIC.fullmatch(text) is not None
