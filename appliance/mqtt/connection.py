"""The one module that knows paho: one connection to the broker, from its opening to its end.

A connection is never used again after it was lost. paho keeps unsent messages over a reconnect and mixes them with
new ones; a new client has nothing to mix. Whatever goes wrong comes out as a sentence.
"""

import contextlib
import enum
import select
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from appliance.mqtt import sentences
from appliance.mqtt.certificate import end_of_peer
from appliance.mqtt.config import MqttConfig
from appliance.mqtt.credentials import password, tls_context
from appliance.mqtt.errors import BrokerUnreachable
from appliance.mqtt.properties import packed

_NOBODY_LISTENS: Final = 0x10
_TAKEN_OVER: Final = 0x8E
_DISCONNECT_WITH_WILL: Final = 0x04
_FAREWELL_S: Final = 0.5
_PACKET_MAX_BYTES: Final = 262_144
"""Larger messages to us are the broker's to drop (MQTT 5)."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we are gone without a good-bye."""

    topic: str
    """The whole topic."""
    payload: bytes
    retain: bool
    """QoS is 1."""


class Leaving(enum.Enum):
    """How we leave."""

    POLITELY = enum.auto()
    """The broker forgets our last will."""
    WITH_WILL = enum.auto()
    """We say good-bye, and the broker sends our last will all the same; MQTT 3.1.1 has no word for it."""
    AT_ONCE = enum.auto()
    """Without a word: the broker sends our last will when it notices."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The broker has let us in."""

    receive_maximum: int
    """Messages it wants to have under way at most."""
    packet_max_bytes: int | None
    """The largest message it takes, with its topic and properties; None where it names no limit."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The broker's answer to one message."""

    message_id: int
    refusal: str | None
    """The broker's reason for not taking it; None where it took it."""
    nobody_listens: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """The broker's answer to a subscription."""

    refused: tuple[str, ...]
    """The topics, as they were asked for, that we may not read."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message for us. Nothing of it can be trusted."""

    topic: str
    """The whole topic."""
    payload: bytes
    retained: bool
    """It stands at the broker, and comes again at each connect. On 3.1.1 a new one does not show it."""
    response_topic: str | None = None
    correlation: bytes | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    """User properties; of several with one name, the last."""


class End(enum.Enum):
    """How a connection ended."""

    LOST = enum.auto()
    """It broke, or the broker closed it."""
    REFUSED = enum.auto()
    """The broker did not let us in."""
    TAKEN_OVER = enum.auto()
    """Somebody else came with our client id."""
    RENEWED = enum.auto()
    """We left, to come back at once with a renewed password or certificate."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over."""

    end: End
    problem: str


Event = Opened | Receipt | Granted | Received | Closed


class Connection:
    """One connection. One thread makes all calls; nothing else runs beside it."""

    def __init__(self, config: MqttConfig, client_id: str, will: Will | None) -> None:
        """Connect to the broker's port, for at most some seconds. `Opened` or `Closed` follows from serve().

        Raises: BrokerUnreachable, ConfigError (the password or a certificate cannot be read).
        """
        self._config = config
        self._client_id = client_id
        self._will = will
        self._address = sentences.address(config)
        self._events: list[Event] = []
        self._asked_for: dict[int, tuple[str, ...]] = {}
        """Message id of a subscription -> its topics."""
        self._was_let_in = False
        self._is_over = False
        self.unanswered = 0
        """Messages without a receipt."""
        self._client = self._new_client()
        try:
            self._client.connect(
                config.host, config.port, keepalive=config.keepalive_s, properties=self._connect_properties()
            )
        except (OSError, ValueError) as error:
            raise BrokerUnreachable(sentences.unreachable(config, error)) from error
        self._hurry()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool,
        qos: int = 1,
        content_type: str | None = None,
        attributes: Mapping[str, str] | None = None,
        correlation: bytes | None = None,
    ) -> int:
        """Send on a whole topic; returns the number that its Receipt will carry (with QoS 0: once it is written out).

        `content_type`, `attributes` (user properties) and `correlation` reach subscribers that speak MQTT 5. Raises:
        ValueError where the topic is none.
        """
        properties = None
        if self._config.protocol == "5":
            properties = _Packed(packed(attributes, content_type, correlation))
        number = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties).mid
        self.unanswered += 1
        return number

    def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for messages on these topics with QoS 1; `Granted` follows, and `Received` for each message."""
        if self._config.protocol == "5":
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            _, message_id = self._client.subscribe([(topic, options) for topic in topics])
        else:
            _, message_id = self._client.subscribe([(topic, 1) for topic in topics])
        if message_id is not None:
            self._asked_for[message_id] = tuple(topics)

    def serve(self, timeout_s: float, wake: socket.socket) -> list[Event]:
        """Send and receive until something happened, `wake` has something to read, or the time is over."""
        try:
            if self._client.socket() is not None and not self._events:
                self._wait(timeout_s, wake)
            if self._client.socket() is not None:
                self._client.loop_misc()
        except Exception as error:  # noqa: BLE001
            # The boundary to paho's parser: bytes that are not MQTT make it raise whatever they hit.
            self._end(End.LOST, f"The MQTT broker {self._address} sends what is not MQTT ({error}): check the port")
        if self._client.socket() is None:
            self._end(End.LOST, self._lost())
        events, self._events = self._events, []
        return events

    def broker_certificate_end(self) -> datetime | None:
        """When the certificate that the broker showed ends; None where it showed none."""
        sock = self._client.socket()
        return end_of_peer(sock) if isinstance(sock, ssl.SSLSocket) else None

    def close(self, leaving: Leaving) -> None:
        """End it. May be called twice."""
        self._is_over = True
        if leaving is not Leaving.AT_ONCE:
            self._client.disconnect(self._parting(leaving))
            self._write_out(_FAREWELL_S)
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _parting(self, leaving: Leaving) -> ReasonCode | None:
        if leaving is Leaving.WITH_WILL and self._config.protocol == "5":
            return ReasonCode(PacketTypes.DISCONNECT, identifier=_DISCONNECT_WITH_WILL)
        return None

    def _new_client(self) -> Client:
        config = self._config
        is_5 = config.protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if is_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages_set(0)  # its user has a window of its own, and paho's is slow when large
        client.connect_timeout = config.connect_timeout_s
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retain)
        if config.username is not None:
            client.username_pw_set(config.username, password(config.password_file))
        if config.tls is not None:
            client.tls_set_context(tls_context(config.tls))
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _wait(self, timeout_s: float, wake: socket.socket) -> None:
        sock = self._client.socket()
        if sock is None:
            return
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            timeout_s = 0.0
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        wants = select.POLLIN | (select.POLLOUT if self._client.want_write() else 0)
        poll.register(sock.fileno(), wants)
        ready = dict(poll.poll(int(timeout_s * 1000) + 1))
        events = ready.get(sock.fileno(), 0)
        if events & select.POLLOUT:
            self._client.loop_write()
        if events & ~select.POLLOUT or timeout_s == 0.0:
            self._client.loop_read()
            self._hurry()

    def _hurry(self) -> None:
        """Where commands may come: small messages at once, and each acknowledged at once.

        Nagle's algorithm at the broker holds a command back until our kernel has acknowledged what went before, and
        ours an answer: up to 40 ms each. Acknowledging at once lasts until the next read only. It costs packets, so a
        box that only tells does without.
        """
        sock = self._client.socket()
        if self._config.commands and isinstance(sock, socket.socket):
            with contextlib.suppress(OSError):  # it has just been lost, which the next read says
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _write_out(self, limit_s: float) -> None:
        """Send what is queued, if the broker takes it in time."""
        end_ns = time.monotonic_ns() + int(limit_s * 1e9)
        while self._client.want_write() and (sock := self._client.socket()) is not None:
            left_s = (end_ns - time.monotonic_ns()) / 1e9
            poll = select.poll()
            poll.register(sock.fileno(), select.POLLOUT)
            if left_s <= 0 or not poll.poll(int(left_s * 1000) + 1):
                return
            self._client.loop_write()

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._end(End.REFUSED, sentences.not_let_in(self._config, reason.value, str(reason)))
            return
        self._was_let_in = True
        self._events.append(
            Opened(
                receive_maximum=getattr(properties, "ReceiveMaximum", 65_535),
                packet_max_bytes=getattr(properties, "MaximumPacketSize", None),
            )
        )

    def _on_publish(
        self, _client: Client, _data: Any, message_id: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        self.unanswered -= 1
        refusal = str(reason) if reason.is_failure else None
        self._events.append(Receipt(message_id, refusal, reason.value == _NOBODY_LISTENS))

    def _on_subscribe(
        self, _client: Client, _data: Any, message_id: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        topics = self._asked_for.pop(message_id, ())
        refused = tuple(topic for topic, reason in zip(topics, reasons, strict=False) if reason.is_failure)
        self._events.append(Granted(refused))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no broker passes it on; whatever did, it is not for us
        properties = message.properties
        self._events.append(
            Received(
                topic=topic,
                payload=bytes(message.payload),
                retained=message.retain,
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation=getattr(properties, "CorrelationData", None),
                attributes=dict(getattr(properties, "UserProperty", ())),
            )
        )

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server and reason.value == _TAKEN_OVER:
            self._end(End.TAKEN_OVER, sentences.taken_over(self._config, self._client_id))
        elif flags.is_disconnect_packet_from_server:
            self._end(
                End.LOST,
                f"The MQTT broker {self._address} ended the connection ({reason}); results wait on the disk",
            )
        else:
            self._end(End.LOST, self._lost())

    def _end(self, end: End, problem: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._events.append(Closed(end, problem))

    def _lost(self) -> str:
        if self._was_let_in:
            return f"The connection to the MQTT broker {self._address} is lost; results wait on the disk"
        return sentences.left_without_a_word(self._config, None if self._will is None else self._will.topic)

    def _connect_properties(self) -> Properties | None:
        if self._config.protocol != "5":
            return None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = _PACKET_MAX_BYTES
        return properties


class _Packed(Properties):
    """Properties that are bytes already: paho asks for no more of them."""

    def __init__(self, content: bytes) -> None:
        object.__setattr__(self, "_content", content)

    def pack(self) -> bytes:
        """What goes into the packet."""
        content: bytes = object.__getattribute__(self, "_content")
        return content
