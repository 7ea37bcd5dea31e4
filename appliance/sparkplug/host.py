"""Whether the primary host is there, as its STATE messages say. Pure: no thread, no clock, no I/O."""

import json
from typing import Any


class Host:
    """The one host application without which nothing is told."""

    def __init__(self, host_id: str) -> None:
        self._topic = f"spBv1.0/STATE/{host_id}"
        self._newest_ms: dict[str, int] = {}
        """By server: the host connects to each at another time."""
        self._server = ""
        self.is_online: bool | None = None
        """None where this server has said nothing yet since we came to it."""

    @property
    def topic(self) -> str:
        """Where it says so, retained."""
        return self._topic

    def came_to(self, server: str) -> None:
        """We are connected to this server, and know nothing."""
        self._server = server
        self.is_online = None

    def heard(self, payload: bytes) -> bool:
        """Take a STATE message. False where it is none, or older than what we know from this server."""
        state = _state(payload)
        if state is None:
            return False
        online, timestamp_ms = state
        if timestamp_ms < self._newest_ms.get(self._server, 0):
            return False
        self._newest_ms[self._server] = timestamp_ms
        self.is_online = online
        return True


def _state(payload: bytes) -> tuple[bool, int] | None:
    try:
        value: Any = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    online, timestamp_ms = value.get("online"), value.get("timestamp")
    if not isinstance(online, bool) or not isinstance(timestamp_ms, int) or isinstance(timestamp_ms, bool):
        return None
    return online, timestamp_ms
