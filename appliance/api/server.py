"""The HTTP server: waitress on a thread of its own, with every limit set (deploy/decisions/0008-waitress.md).

One thread moves all bytes, a few work on complete requests: a slow client costs a connection, never a thread.
"""

import errno
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from waitress import create_server, wasyncore

from appliance.api.errors import ApiError

THREADS: Final = 4
CONNECTIONS_MAX: Final = 64
"""Clients at once; more wait in the kernel's queue until one goes."""
IDLE_MAX_S: Final = 10.0
"""A connection without traffic is closed after this."""
REQUEST_MAX_BYTES: Final = 1_000_000
"""Largest request body."""
_HEADER_MAX_BYTES: Final = 16_384
_CLEANUP_PERIOD_S: Final = 2.0
_WAKE_UP_S: Final = 1.0

WsgiApp = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What a server takes; the defaults are those of the health pages."""

    threads: int = THREADS
    connections_max: int = CONNECTIONS_MAX
    idle_max_s: float = IDLE_MAX_S
    request_max_bytes: int = REQUEST_MAX_BYTES
    received_bytes: int = 8192
    """Read from a connection at once."""
    answer_in_memory_bytes: int = 1 << 20
    """The part of an answer not yet sent that may stay in memory; what is more goes to a temporary file."""


class HttpServer:
    """One port, from the constructor (which takes it) to `stop()`. Used by one thread; its own are all ended then."""

    def __init__(
        self,
        app: WsgiApp,
        host: str,
        port: int,
        *,
        threads: int = THREADS,
        idle_max_s: float = IDLE_MAX_S,
        limits: ServerLimits | None = None,
        dispatcher: Any = None,
        channel_class: Any = None,
    ) -> None:
        """Take the port; nothing is answered before `start()`. `host` is an IP address. Raises: ApiError.

        `limits`: in the place of `threads` and `idle_max_s`. `dispatcher`, `channel_class`: waitress' own where None; a
        dispatcher given has its threads already, and is shut down by stop().
        """
        limits = limits or ServerLimits(threads=threads, idle_max_s=idle_max_s)
        listening = _listen(host, port)
        self.port: int = listening.getsockname()[1]
        """The port that was taken; useful where any free one was asked for."""
        self._channels: dict[
            int, Any
        ] = {}  # connections, the listening socket and the waker; the loop's thread owns it
        self._waitress = create_server(
            app,
            map=self._channels,
            _dispatcher=dispatcher,
            sockets=[listening],
            threads=limits.threads,
            connection_limit=limits.connections_max + 2,  # it counts the listening socket and the waker, too
            channel_timeout=limits.idle_max_s,
            cleanup_interval=_CLEANUP_PERIOD_S,
            recv_bytes=limits.received_bytes,
            max_request_body_size=limits.request_max_bytes,
            inbuf_overflow=limits.request_max_bytes + 1,  # never to a temporary file: the disk may be full
            outbuf_overflow=limits.answer_in_memory_bytes,
            max_request_header_size=_HEADER_MAX_BYTES,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True,
            ident=None,
        )
        if channel_class is not None:
            self._waitress.channel_class = channel_class
        self._stopping = threading.Event()
        self._drain_until = 0.0
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def running(self) -> bool:
        """Whether requests are being answered. False after start() and before stop() is a fault: end the process."""
        return self._thread.is_alive() and not self._stopping.is_set()

    def start(self) -> None:
        """Answer requests from now on; returns at once."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Take no new requests, finish those under way for at most `timeout_s`, close everything."""
        if self._stopping.is_set():
            return
        self._drain_until = time.monotonic() + timeout_s
        self._stopping.set()
        if self._thread.is_alive():
            self._waitress.pull_trigger()
            self._thread.join(timeout_s + 2 * _WAKE_UP_S)
        # waitress has no stop of its own: its threads first, for they write to the waker that close_all closes.
        self._waitress.task_dispatcher.shutdown(timeout=max(0.5, self._drain_until - time.monotonic()))
        for channel in list(self._waitress.active_channels.values()):
            channel.handle_close()
        wasyncore.close_all(self._channels)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._move_bytes(_WAKE_UP_S)
        self._waitress.accepting = False
        while self._busy() and time.monotonic() < self._drain_until:
            self._move_bytes(0.05)

    def _move_bytes(self, timeout_s: float) -> None:
        wasyncore.loop(timeout=timeout_s, use_poll=True, map=self._channels, count=1)

    def _busy(self) -> bool:
        return any(channel.requests or channel.total_outbufs_len for channel in self._waitress.active_channels.values())


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()  # two servers may both be bound with SO_REUSEADDR; only one may listen
    except OSError as error:
        listening.close()
        raise ApiError(_cannot_listen(host, port, error)) from error
    return listening


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    where = f"HTTP cannot be answered on {host} port {port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where}: another program has it (ss -ltnp 'sport = :{port}' names it); set another http.port."
        case errno.EADDRNOTAVAIL:
            return f"{where}: this box has no such address; set http.host to one of its own, or to 0.0.0.0."
        case errno.EACCES:
            return f"{where}: ports below 1024 need more rights than this service has; set http.port to 1024 or above."
        case _:
            return f"{where}: {error.strerror or error}; check http.host and http.port."
