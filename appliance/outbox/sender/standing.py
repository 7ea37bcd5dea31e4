"""Retained topics on their way to the broker: the newest of each, and what is done about one that it refuses."""

import logging
import time
from collections.abc import Hashable
from typing import Final

from appliance.outbox.sender.retained import Retained
from appliance.outbox.sender.sending import JSON, Outgoing

_log = logging.getLogger(__name__)

_FORGIVE_S: Final = 300.0


class Standing:
    """The lane of retained topics. One thread; `refusal` may be read by any."""

    def __init__(self, first: str) -> None:
        """`first`: the whole topic that each connection begins with. It is never suspected."""
        self._first = first
        self._retained = Retained()
        self._forgive_ns = 0
        self.refusal: str | None = None
        """Which of them the broker does not take, and why; a sentence."""

    @property
    def under_way(self) -> int:
        """Messages sent whose receipt is not there yet."""
        return self._retained.under_way

    @property
    def is_settled(self) -> bool:
        """The broker has the newest of everything that it does not refuse."""
        return self._retained.is_settled

    def put(self, topic: str, payload: bytes) -> None:
        """Make this the newest of a whole topic."""
        self._retained.put(topic, payload)

    def next_to_send(self) -> Outgoing | None:
        """As Lane."""
        if self.refusal is not None and time.monotonic_ns() > self._forgive_ns:
            self.refusal = None
            self._retained.forgive()
        found = self._retained.next_to_send()
        if found is None:
            return None
        topic, payload = found
        return Outgoing(topic, topic, payload, retain=True, content_type=JSON if payload[:1] == b"{" else None)

    def sent(self, message: Outgoing) -> None:
        """As Lane."""
        self._retained.sent(message.topic)

    def received(self, message: Outgoing, *, nobody_listens: bool) -> None:
        """As Lane."""
        self._retained.received(message.topic)

    def refused(self, message: Outgoing, sentence: str) -> None:
        """As Lane: left out for minutes: Mosquitto 2.0 with max_queued_messages 0 cuts us off after each refusal."""
        self._retained.refused(message.topic)
        self._forgive_ns = time.monotonic_ns() + int(_FORGIVE_S * 1e9)
        if sentence != self.refusal:
            _log.error("%s", sentence)
        self.refusal = sentence

    def start_again(self, window: int) -> None:
        """As Lane."""
        self._retained.start_again(first=self._first)

    def suspect(self, message: Outgoing) -> Hashable | None:
        """As Lane."""
        return None if message.topic == self._first else message.topic
