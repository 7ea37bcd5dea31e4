"""The wire between the line's process and a child of it: a socket pair with small datagrams.

Hints only. Everything that must not be lost is on disk; a message that does not fit into the socket's buffer is
dropped, and the next one says more.
"""

import contextlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_MAX_BYTES: Final = 200_000
"""Largest message. A status of eight cameras has some 20,000 bytes."""


@dataclass(frozen=True, slots=True)
class Message:
    """One datagram."""

    kind: str
    """To the gateway: status, interval, recorded, drain; it says acknowledged. To the surface: stop. To the delivery
    process: status, stop; it says wish and look."""
    body: Mapping[str, Any]


class Link:
    """One end. send() from any thread, receive() from one."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    @classmethod
    def pair(cls) -> tuple["Link", socket.socket]:
        """Our end, and the other process's end for it to inherit."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    @classmethod
    def inherited(cls, descriptor: int) -> "Link":
        """The end that this process was started with."""
        return cls(socket.socket(fileno=descriptor))

    def send(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Send without waiting. False where it was dropped: the other side is gone, or does not keep up."""
        raw = kind.encode() + b"\n" + json.dumps(body, separators=(",", ":")).encode()
        return self.send_raw(raw)

    def send_raw(self, raw: bytes) -> bool:
        """As send(), of `kind`, a line feed and JSON put together already."""
        try:
            self._socket.send(raw, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next message; None where the other side is gone. Raises: TimeoutError."""
        self._socket.settimeout(timeout_s)
        try:
            raw = self._socket.recv(_MAX_BYTES)
        except TimeoutError:
            raise
        except OSError:
            return None
        if not raw:
            return None
        kind, _, body = raw.partition(b"\n")
        return Message(kind.decode(), json.loads(body))

    def close(self) -> None:
        """Let go; the other side's receive() returns None. May be called twice."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
