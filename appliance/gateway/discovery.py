"""The box in Home Assistant: announced where the operator wants it, and taken away where it was wanted once."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.messages import home_assistant, said
from appliance.messages.box import Box
from appliance.outbox import smallfile
from appliance.outbox.sender.identity import client_id

_log = logging.getLogger(__name__)

FILE_NAME: Final = "home-assistant.json"
"""What was announced, and where: {"topics": {TOPIC: {COMPONENT: PLATFORM}}}."""


def topics_of(box: Box) -> tuple[str, ...]:
    """The whole topics that Discovery.heard() wants."""
    return () if box.home_assistant is None else (home_assistant.status_topic(box.home_assistant),)


class Discovery:
    """Threads: heard() by any; announce() by one, before or after."""

    def __init__(
        self, box: Box, folder: Path, retain: Callable[[str, bytes], None], send: Callable[[str, bytes], None]
    ) -> None:
        """Nothing is said before announce().

        Args:
            box: whether and what is shown.
            folder: where it is kept what was announced.
            retain: makes this the newest on a whole topic, again at each connect; b"" takes it away.
            send: sends on a whole topic once.
        """
        self._box = box
        self._path = folder / FILE_NAME
        self._installation = client_id(folder, box.station).rpartition("-")[2]
        self._retain = retain
        self._send = send
        self._said: tuple[str, bytes] | None = None

    def announce(self) -> None:
        """Say that the box is there; take away what was said before and holds no more. Some file I/O."""
        before: dict[str, Any] = self._remembered()
        wanted: dict[str, Any] = {}
        if self._box.home_assistant is not None:
            topic = home_assistant.topic(self._box, self._installation)
            message = home_assistant.discovery(self._box, self._installation, before.get(topic) or {})
            self._said = (topic, said.encoded(message))
            wanted[topic] = home_assistant.components_of(message)
            self._retain(*self._said)
        for topic in before.keys() - wanted.keys():
            # Whether the broker has heard of it is not known at the next start: so it stays remembered.
            self._retain(topic, b"")
            wanted[topic] = {}
        if wanted != before:
            self._remember(wanted)

    def heard(self, topic: str, payload: bytes) -> bool:
        """Whether a message was Home Assistant's: it has started, so the box is announced once more."""
        if topic not in topics_of(self._box):
            return False
        if payload == b"online" and self._said is not None:
            self._send(*self._said)
        return True

    def _remembered(self) -> dict[str, Any]:
        try:
            kept = smallfile.read(self._path)
        except OSError as error:
            _log.warning("What Home Assistant was told cannot be read from %s (%s).", self._path, error)
            return {}
        return {} if kept is None else dict(kept["topics"])

    def _remember(self, topics: dict[str, Any]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            smallfile.replace(self._path, {"topics": topics})
        except OSError as error:
            _log.warning(
                "What Home Assistant is told cannot be written to %s (%s): if it is to be taken away later, delete the "
                "device there by hand.",
                *(self._path, error),
            )
