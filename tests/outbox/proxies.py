"""Between the box and a real broker: a network that loses, delays, cuts, or a broker with a quota."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

CONNECT, PUBLISH, PUBACK = 0x10, 0x30, 0x40
QUOTA_EXCEEDED = 0x97


class Proxy:
    """A port of its own before a broker's; what it does to the bytes may change at any time."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.swallows_to_broker = False
        self.swallows_from_broker = False
        self.delay_s = 0.0
        self.on_publish: Callable[[str, int], bytes | None] = lambda _topic, _number: None
        """Asked for each PUBLISH to the broker (topic, message id): None passes it on; bytes are the answer in the
        broker's place, who never sees it; b"" ends the connection."""
        self.connections = 0
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def cut(self) -> None:
        """End every connection at once."""
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            try:
                broker = socket.create_connection(("127.0.0.1", self._broker_port))
            except OSError:
                client.close()
                continue
            self._sockets += client, broker
            for pump in (self._to_broker, self._from_broker):
                self._threads.append(threading.Thread(target=self._pump, args=(pump, client, broker), daemon=True))
                self._threads[-1].start()

    def _pump(self, pump, client: socket.socket, broker: socket.socket) -> None:
        with contextlib.suppress(OSError):
            pump(client, broker)
        for one in (client, broker):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _to_broker(self, client: socket.socket, broker: socket.socket) -> None:
        while packet := read_packet(client):
            time.sleep(self.delay_s)
            if self.swallows_to_broker:
                continue
            answer = None
            if packet[0] & 0xF0 == PUBLISH and packet[0] & 0x06:
                answer = self.on_publish(*topic_and_number(packet))
            if answer is None:
                broker.sendall(packet)
            elif answer:
                client.sendall(answer)
            else:
                return

    def _from_broker(self, client: socket.socket, broker: socket.socket) -> None:
        while found := broker.recv(65_536):
            time.sleep(self.delay_s)
            if not self.swallows_from_broker:
                client.sendall(found)


def read_packet(sock: socket.socket) -> bytes:
    """One whole MQTT packet; b"" at the end."""
    packet = _read(sock, 1)
    if not packet:
        return b""
    length, shift = 0, 0
    while True:
        byte = _read(sock, 1)
        packet += byte
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if not byte[0] & 0x80:
            return packet + _read(sock, length)


def _read(sock: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = sock.recv(count - len(found))
        if not more:
            return b""
        found += more
    return found


def topic_and_number(publish: bytes) -> tuple[str, int]:
    at = 1
    while publish[at] & 0x80:
        at += 1
    size = int.from_bytes(publish[at + 1 : at + 3], "big")
    topic = publish[at + 3 : at + 3 + size].decode()
    return topic, int.from_bytes(publish[at + 3 + size : at + 5 + size], "big")


def refusal(number: int, reason: int) -> bytes:
    return bytes([PUBACK, 3]) + number.to_bytes(2, "big") + bytes([reason])
