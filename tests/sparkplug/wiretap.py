"""What goes over the wire: a proxy in front of the broker that writes down every packet, and a subscriber behind it.

The subscriber speaks MQTT 5 with QoS 2 and retain-as-published, so that it sees QoS and retain as they were sent.
"""

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions
from running import until

_KINDS = {1: "CONNECT", 2: "CONNACK", 3: "PUBLISH", 4: "PUBACK", 8: "SUBSCRIBE", 9: "SUBACK", 12: "PINGREQ"}
_KINDS |= {13: "PINGRESP", 14: "DISCONNECT"}


@dataclass
class Packet:
    """One MQTT packet, in the order in which the proxy saw it."""

    kind: str
    from_node: bool
    connection: int
    utc_ms: int
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    level: int = 0
    """CONNECT: 4 or 5."""
    is_clean: bool = False
    expiry_s: int = 0
    client_id: str = ""
    will: "Packet | None" = None
    topics: list = field(default_factory=list)
    """SUBSCRIBE: (topic, QoS)."""
    reason: int = 0
    """DISCONNECT."""
    is_text: bool = False
    """PUBLISH: it calls itself UTF-8."""


class _Bytes:
    def __init__(self, raw):
        self._raw = raw
        self._at = 0

    def take(self, size):
        found = self._raw[self._at : self._at + size]
        self._at += size
        return found

    def byte(self):
        return self.take(1)[0]

    def number(self):
        return struct.unpack(">H", self.take(2))[0]

    def text(self):
        return self.take(self.number())

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def properties(self):
        end = self.varint() + self._at
        found = {}
        while self._at < end:
            key = self.byte()
            if key in {0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A}:
                found[key] = self.byte()
            elif key in {0x13, 0x21, 0x22, 0x23}:
                found[key] = self.number()
            elif key in {0x02, 0x11, 0x18, 0x27}:
                found[key] = struct.unpack(">I", self.take(4))[0]
            elif key == 0x26:
                found[key] = (self.text(), self.text())
            elif key == 0x0B:
                found[key] = self.varint()
            else:
                found[key] = self.text()
        return found

    def rest(self):
        return self._raw[self._at :]

    @property
    def is_empty(self):
        return self._at >= len(self._raw)


def read(kind, flags, body, level, packet):
    """Fill in what the packet says."""
    raw = _Bytes(body)
    if kind == "CONNECT":
        raw.text()
        packet.level = level = raw.byte()
        connect_flags = raw.byte()
        raw.number()
        packet.is_clean = bool(connect_flags & 2)
        if level == 5:
            packet.expiry_s = raw.properties().get(0x11, 0)
        packet.client_id = raw.text().decode()
        if connect_flags & 4:
            will = Packet("WILL", from_node=True, connection=packet.connection, utc_ms=packet.utc_ms)
            if level == 5:
                raw.properties()
            will.topic, will.payload = raw.text().decode(), raw.text()
            will.qos, will.retain = connect_flags >> 3 & 3, bool(connect_flags & 32)
            packet.will = will
    elif kind == "PUBLISH":
        packet.qos, packet.retain = flags >> 1 & 3, bool(flags & 1)
        packet.topic = raw.text().decode()
        if packet.qos:
            raw.number()
        if level == 5:
            packet.is_text = raw.properties().get(0x01, 0) == 1
        packet.payload = raw.rest()
    elif kind == "SUBSCRIBE":
        raw.number()
        if level == 5:
            raw.properties()
        while not raw.is_empty:
            packet.topics.append((raw.text().decode(), raw.byte() & 3))
    elif kind == "DISCONNECT" and not raw.is_empty:
        packet.reason = raw.byte()
    return level


class Wiretap:
    """A proxy in front of a broker; `packets` is what went through it."""

    def __init__(self, broker_port):
        self._broker_port = broker_port
        self.packets = []
        self.open_now = 0
        self.open_most = 0
        self._lock = threading.Lock()
        self._sockets = []
        self._connections = 0
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._listen()

    def of_kind(self, kind):
        return [one for one in list(self.packets) if one.kind == kind]

    def cut(self):
        """End every connection as a pulled cable and a reset do: without a word."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def refuse(self):
        """Nobody listens here any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(5)

    def accept(self):
        """Somebody does again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def close(self):
        self.refuse()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def _listen(self):
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._acceptor.start()

    def _accept(self, listener):
        while True:
            try:
                theirs, _ = listener.accept()
            except OSError:
                return
            try:
                ours = socket.create_connection(("127.0.0.1", self._broker_port), 5)
            except OSError:
                theirs.close()
                continue
            ours.settimeout(None)
            with self._lock:
                self._connections += 1
                number = self._connections
                self._sockets += [theirs, ours]
                self.open_now += 1
                self.open_most = max(self.open_most, self.open_now)
            state = {"level": 4}
            for source, sink, from_node in ((theirs, ours, True), (ours, theirs, False)):
                thread = threading.Thread(
                    target=self._pass_on, args=(source, sink, from_node, number, state), daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source, sink, from_node, number, state):
        waiting = b""
        try:
            while chunk := source.recv(65536):
                waiting = self._note(waiting + chunk, from_node, number, state)
                sink.sendall(chunk)
        except OSError:
            pass
        if from_node:
            with self._lock:
                self.packets.append(Packet("END", from_node=True, connection=number, utc_ms=_now_ms()))
                self.open_now -= 1
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _note(self, raw, from_node, number, state):
        while len(raw) >= 2:
            size = shift = 0
            at = 1
            while at < len(raw):
                byte = raw[at]
                size |= (byte & 0x7F) << shift
                shift += 7
                at += 1
                if byte < 0x80:
                    break
            else:
                return raw
            if len(raw) < at + size:
                return raw
            kind = _KINDS.get(raw[0] >> 4, "?")
            packet = Packet(kind, from_node, number, _now_ms())
            state["level"] = read(kind, raw[0] & 15, raw[at : at + size], state["level"], packet)
            with self._lock:
                self.packets.append(packet)
            raw = raw[at + size :]
        return raw


@dataclass
class Said:
    """A message as a subscriber has it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    utc_ms: int


class Ear:
    """Hears everything of Sparkplug at a broker, and publishes what hosts do."""

    def __init__(self, port, name="ear"):
        self.heard = []
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        self._client.on_message = self._take
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_connect = lambda client, *_: client.subscribe(
            "spBv1.0/#", options=SubscribeOptions(qos=2, retainAsPublished=True)
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def says(self, topic, payload, *, qos=0, retain=False):
        self._client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(10)

    def on(self, part):
        return [one for one in list(self.heard) if part in one.topic]

    def wait(self, part, count=1, timeout_s=15):
        """Wait for that many messages on topics with `part` in them."""
        until(lambda: len(self.on(part)) >= count, f"{count} messages on {part}", timeout_s)
        return self.on(part)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _client, _data, message):
        self.heard.append(Said(message.topic, message.payload, message.qos, message.retain, _now_ms()))


def _now_ms():
    return time.time_ns() // 1_000_000
