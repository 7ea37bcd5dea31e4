"""One connection to one server: direct or through a proxy, with TLS or without."""

import http.client
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult

from appliance.registry.errors import Unavailable
from appliance.registry.remote.proxies import Proxy
from appliance.registry.remote.wire import Overdue, Traffic, Wire

_BLOCK: Final = 65_536
_PORTS: Final = {"http": 80, "https": 443}


class Cut(Unavailable):
    """The connection could not be made, or broke: worth trying again soon."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What credentials belong to: never another scheme, host or port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: SplitResult) -> "Origin":
        """Of an http or https URL with a host. Raises: ValueError."""
        if url.scheme not in _PORTS or not url.hostname:
            raise ValueError("neither http nor https")
        return cls(url.scheme, url.hostname, url.port or _PORTS[url.scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Connection(http.client.HTTPConnection):
    """http.client's, on a wire with limits. Errors are the standard library's; `transport_error` makes them ours."""

    def __init__(
        self, origin: Origin, tls: ssl.SSLContext, proxy: Proxy | None, timeout_s: float, traffic: Traffic
    ) -> None:
        super().__init__(origin.host, origin.port, timeout=timeout_s, blocksize=_BLOCK)
        self.default_port = _PORTS[origin.scheme]  # so that Host carries the port only where it is another
        self.origin = origin
        self.sock: Any = None
        self.wire: Wire | None = None
        self._tls = tls
        self._proxy = proxy
        self._wait_s = timeout_s
        self._traffic = traffic

    def connect(self) -> None:
        """Raises: OSError, HTTPException."""
        at = (self._proxy.host, self._proxy.port) if self._proxy else (self.origin.host, self.origin.port)
        sock = socket.create_connection(at, self._wait_s)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.origin.scheme == "https":
                if self._proxy:
                    self._tunnel_through(sock, self._proxy)
                sock.settimeout(self._wait_s)
                sock = self._tls.wrap_socket(sock, server_hostname=self.origin.host)
        except BaseException:
            sock.close()
            raise
        self.wire = Wire(sock, self._wait_s, self._traffic)
        self.sock = self.wire

    def target(self, url: SplitResult) -> str:
        """What the request line names: the whole URL for a proxy that fetches, else path and query."""
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if self._proxy and self.origin.scheme == "http":
            return f"http://{self.origin}{path}"
        return path

    def proxy_headers(self) -> dict[str, str]:
        """For a proxy that fetches; a tunnel's login is in its CONNECT."""
        if self._proxy and self._proxy.authorization and self.origin.scheme == "http":
            return {"Proxy-Authorization": self._proxy.authorization}
        return {}

    def _tunnel_through(self, sock: socket.socket, proxy: Proxy) -> None:
        host = f"[{self.origin.host}]" if ":" in self.origin.host else self.origin.host
        at = f"{host}:{self.origin.port}"
        login = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
        wire = Wire(sock, self._wait_s, self._traffic)
        wire.sendall(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n{login}\r\n".encode())
        answer = http.client.HTTPResponse(wire, method="CONNECT")  # type: ignore[arg-type]
        try:
            answer.begin()
        finally:
            answer.close()
        if answer.status != 200:
            raise http.client.HTTPException(f"the proxy {proxy.host}:{proxy.port} answers {answer.status}")


def transport_error(error: BaseException, origin: Origin) -> Unavailable:
    """The sentence for what the standard library raised."""
    where = str(origin)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unavailable(
            f"The certificate of {where} is not trusted ({error.verify_message}); name its CA in delivery.ca_file."
        )
    if isinstance(error, ssl.SSLError):
        return Cut(f"No TLS with {where} ({error.reason or 'broken'}); is it an https server?")
    if isinstance(error, socket.gaierror):
        return Cut(f"{where} has no address here; check the name and this box' DNS.")
    if isinstance(error, ConnectionRefusedError):
        return Cut(f"{where} refuses connections; is the server running, and the port right?")
    if isinstance(error, TimeoutError):
        return Cut(f"{where} went silent for longer than delivery.timeout_s.")
    if isinstance(error, Overdue):
        return Cut(f"{where} did not finish its answer in time.")
    if isinstance(error, OSError):
        return Cut(f"The connection to {where} broke: {error.strerror or str(error) or type(error).__name__}.")
    return Cut(f"{where} does not speak HTTP as it should: {str(error)[:200] or type(error).__name__}.")
