"""A socket whose reads end in time, and that counts what went over it."""

import io
import socket
import time
from collections.abc import Callable
from typing import Final

_SLICE_S: Final = 0.25
"""How long a cancel may have to wait for a silent server, seconds."""
_BUFFER: Final = 65_536


class Overdue(Exception):
    """The whole request took longer than it may."""


class Traffic:
    """Bytes over all connections of one client, TLS' own not counted."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0


def _nothing() -> None:
    pass


class Wire:
    """What http.client needs of a socket. One thread.

    A read that brings nothing for `timeout_s` raises TimeoutError, one after `deadline` (monotonic) Overdue; `tick` is
    called meanwhile, and what it raises ends the read.
    """

    def __init__(self, sock: socket.socket, timeout_s: float, traffic: Traffic) -> None:
        self._sock = sock
        self._timeout_s = timeout_s
        self._traffic = traffic
        self._readers = 0
        self._closing = False
        self.deadline = float("inf")
        self.tick: Callable[[], None] = _nothing

    def makefile(self, _mode: str) -> io.BufferedReader:
        """For http.client's answers."""
        self._readers += 1
        return io.BufferedReader(_Reading(self), _BUFFER)

    def sendall(self, data: bytes) -> None:
        """Raises: OSError."""
        self._sock.settimeout(self._timeout_s)
        self._sock.sendall(data)
        self._traffic.sent += len(data)

    def receive_into(self, buffer: memoryview) -> int:
        """At least one byte, or 0 at the end. Raises: OSError, Overdue, and what `tick` raises."""
        silent_at = time.monotonic() + self._timeout_s
        while True:
            now = time.monotonic()
            if now >= self.deadline:
                raise Overdue
            if now >= silent_at:
                raise TimeoutError
            self._sock.settimeout(max(0.001, min(_SLICE_S, silent_at - now, self.deadline - now)))
            try:
                count = self._sock.recv_into(buffer)
            except TimeoutError:
                self.tick()
                continue
            self._traffic.received += count
            return count

    def close(self) -> None:
        """The socket goes with the last answer that reads from it, as http.client expects."""
        self._closing = True
        if self._readers == 0:
            self._sock.close()

    def let_go(self) -> None:
        """One reader less."""
        self._readers -= 1
        if self._closing and self._readers == 0:
            self._sock.close()


class _Reading(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._wire.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._wire.let_go()
