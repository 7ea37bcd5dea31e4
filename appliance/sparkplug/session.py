"""The node's connection: to one server at a time, with a new will for each, and on to the next when it has to."""

import select
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from appliance.backoff import Backoff
from appliance.mqtt.config import MqttConfig
from appliance.mqtt.connection import Closed, Event, Leaving, Opened, Will
from appliance.mqtt.link import Link
from appliance.mqtt.properties import BINARY
from appliance.sparkplug.bdseq import SessionNumbers

_MOVE_FIRST_S: Final = 0.5
_MOVE_LAST_S: Final = 15.0
_JITTER: Final = 0.3


class Session:
    """One thread makes all calls; state may be asked by any."""

    def __init__(
        self,
        mqtt: MqttConfig,
        servers: Sequence[tuple[str, int]],
        client_id: str,
        folder: Path,
        will: Callable[[int], Will],
    ) -> None:
        """Nothing is done before serve().

        Args:
            mqtt: how to connect; host and port are those of the server whose turn it is.
            servers: (host, port) of each, in the order in which they are tried.
            client_id: how servers know us; not the one of the durable topics.
            folder: where the number of the session is kept.
            will: what a server says when we are gone, for the session of that number.
        """
        self._mqtt = mqtt
        self._servers = servers
        self._client_id = client_id
        self._numbers = SessionNumbers(folder)
        self._make_will = will
        self._turn = 0
        self._link: Link | None = None
        self._first_words: str | None = None
        """What a link says before it has tried anything."""
        self._backoff = Backoff(_MOVE_FIRST_S, _MOVE_LAST_S, jitter=_JITTER)
        self._next_attempt_s = float("-inf")
        self._last_problem: str | None = None
        """Of the server before this one, until this one has answered; None where it was left as planned."""
        self.number = 0
        """bdSeq of the will that the server has, or will have."""

    @property
    def server(self) -> str:
        """host:port of the one it is at, or tries next."""
        host, port = self._servers[self._turn]
        return f"{host}:{port}"

    @property
    def is_open(self) -> bool:
        """A server has let us in."""
        link = self._link
        return link is not None and link.is_open

    def problem(self) -> str | None:
        """Why there is no connection, or what makes it unsteady; None when all is well."""
        link = self._link
        found = self._first_words if link is None else link.problem()
        return self._last_problem if found == self._first_words else found

    def serve(self, timeout_s: float, wake: socket.socket) -> list[Event]:
        """As Link's, over all servers; a `Closed` may be followed by another server's `Opened`."""
        if self._link is None:
            wait_s = self._next_attempt_s - time.monotonic()
            if wait_s > 0:
                _wait_for(wake, min(wait_s, timeout_s))
                return []
            link = self._new_link()
            self._first_words = link.problem()
            self._link = link
        events = self._link.serve(timeout_s, wake)
        if any(isinstance(event, Opened | Closed) for event in events):
            self._numbers.used()
            self._last_problem = None
        has_failed = not self._link.is_open and self._link.problem() not in {None, self._first_words}
        if has_failed and len(self._servers) > 1:
            self._last_problem = self._link.problem()
            self._move_on(Leaving.AT_ONCE)
        return events

    def settled(self) -> None:
        """This server is a good one: after it, the first attempt comes soon."""
        self._backoff.reset()

    def subscribe(self, topics: Sequence[str]) -> None:
        """With QoS 1. Only while `is_open`."""
        if self._link is not None:
            self._link.subscribe(topics)

    def publish(self, topic: str, payload: bytes, qos: int) -> int:
        """Not retained; returns the number of its Receipt. Only while `is_open`."""
        if self._link is None:
            msg = "publish() without a connection"
            raise RuntimeError(msg)
        return self._link.publish(topic, payload, retain=False, qos=qos, content_type=BINARY)

    def leave(self) -> None:
        """Go on to the next server, or come back to the only one; after a while that grows."""
        self._last_problem = None
        self._move_on(Leaving.WITH_WILL)

    def close(self) -> None:
        """Leave for good."""
        if self._link is not None:
            self._link.close(Leaving.WITH_WILL)
            self._link = None

    def _move_on(self, leaving: Leaving) -> None:
        if self._link is not None:
            self._link.close(leaving)
            self._link = None
        self._turn = (self._turn + 1) % len(self._servers)
        self._next_attempt_s = time.monotonic() + self._backoff.next_s()

    def _new_link(self) -> Link:
        host, port = self._servers[self._turn]
        config = self._mqtt.model_copy(update={"host": host, "port": port, "commands": frozenset()})
        # Without a DISCONNECT an MQTT 3.1.1 server says our death; with one it would forget it.
        renewing = Leaving.WITH_WILL if config.protocol == "5" else Leaving.AT_ONCE
        return Link(config, self._client_id, self._will, renewing=renewing)

    def _will(self) -> Will:
        self.number = self._numbers.take()
        return self._make_will(self.number)


def _wait_for(wake: socket.socket, timeout_s: float) -> None:
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    poll.poll(int(timeout_s * 1000) + 1)
