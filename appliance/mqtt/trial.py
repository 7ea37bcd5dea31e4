"""Would this broker let the box work? Asked once, with nothing at stake: let in, may write, may read."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from appliance.mqtt import sentences
from appliance.mqtt.config import MqttConfig
from appliance.mqtt.connection import Closed, Connection, Event, Granted, Leaving, Opened, Receipt
from appliance.mqtt.errors import BrokerUnreachable

_ANSWER_S: Final = 5.0
E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Tried:
    """What the broker allows a client of these settings."""

    refusal: str | None
    """Its reason for not taking what is written. MQTT 3.1.1 has no word for one: always None there."""
    unread: tuple[str, ...]
    """Topics that may not be read; a broker that grants each subscription and then sends nothing is not found out."""


def try_out(config: MqttConfig, client_id: str, write: str, read: Sequence[str]) -> Tried:
    """Connect, send an empty message that is not retained to the whole topic `write`, subscribe to `read`, leave.

    Takes as long as the broker does, at most 5 s for each answer. Raises: BrokerUnreachable, ConfigError.
    """
    with _opened(config, client_id) as trial:
        trial.until(Opened)
        trial.connection.publish(write, b"", retain=False)
        refusal = trial.until(Receipt).refusal
        unread: tuple[str, ...] = ()
        if read:
            trial.connection.subscribe(read)
            unread = trial.until(Granted).refused
        return Tried(refusal, unread)


class _Trial:
    def __init__(self, config: MqttConfig, connection: Connection, wake: socket.socket) -> None:
        self.connection = connection
        self._config = config
        self._wake = wake

    def until(self, kind: type[E]) -> E:
        """The next event of this kind. Raises: BrokerUnreachable, when it does not come, or the end does."""
        limit_s = time.monotonic() + _ANSWER_S
        while time.monotonic() < limit_s:
            for event in self.connection.serve(0.2, self._wake):
                if isinstance(event, kind):
                    return event
                if isinstance(event, Closed):
                    raise BrokerUnreachable(event.problem)
        raise BrokerUnreachable(
            f"The broker {sentences.address(self._config)} took the connection and says nothing for "
            f"{_ANSWER_S:.0f} s; is it MQTT?"
        )


@contextmanager
def _opened(config: MqttConfig, client_id: str) -> Iterator[_Trial]:
    connection = Connection(config, client_id, None)
    wake, other = socket.socketpair()
    try:
        yield _Trial(config, connection, wake)
    finally:
        connection.close(Leaving.POLITELY)
        wake.close()
        other.close()
