"""One HTTP client for all places: connections kept open, TLS, proxies, redirects, logins, and a limit on everything."""

import http.client
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final
from urllib.parse import SplitResult, urljoin, urlsplit

from appliance.registry.config import DeliveryConfig
from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.remote.answers import BROKEN, DRAIN_MAX, Answer, Stream
from appliance.registry.remote.auth import Authorizer
from appliance.registry.remote.connection import Connection, Origin, transport_error
from appliance.registry.remote.credentials import read_credentials
from appliance.registry.remote.pace import RateLimiter
from appliance.registry.remote.proxies import proxy_for
from appliance.registry.remote.retry_after import retry_after_s
from appliance.registry.remote.wire import Traffic

__all__ = ["Answer", "HttpClient", "Stream"]

REDIRECTS_MAX: Final = 5
URL_MAX: Final = 8192
CONNECTIONS_MAX: Final = 3
"""The registry, its token server, its storage."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class HttpClient:
    """One thread at a time. Every call ends in time."""

    def __init__(
        self,
        config: DeliveryConfig,
        *,
        user_agent: str,
        limiter: RateLimiter | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now`: the clock of tokens' lives. Raises: Unavailable (an unreadable credentials or CA file)."""
        rate = config.rate_limit_mbit
        self.limiter = limiter or (RateLimiter(rate * 1e6 / 8) if rate else None)
        self.traffic = Traffic()
        self._config = config
        self._user_agent = user_agent
        self._connections: dict[Origin, Connection] = {}
        self._authorizer = Authorizer(read_credentials(config.credentials_file), self._fetch_token, now)
        try:
            self._tls = ssl.create_default_context(cafile=config.ca_file)
        except OSError as error:  # SSLError is one
            reason = error.strerror or "no certificates in PEM"
            raise Unavailable(f"delivery.ca_file {config.ca_file} cannot be used: {reason}.") from error

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | BinaryIO | None = None,
        length: int | None = None,
        scope: str | None = None,
        max_body: int = 1_000_000,
    ) -> Answer:
        """Ask, follow redirects (GET and HEAD), log in where asked to, and read the answer whole.

        `body`: bytes, or a file (it is rewound for a second try) of `length` bytes. `scope`: what a token has to allow,
        as `repository:models/surface:pull,push`. Any status but those of redirects and logins is the caller's.
        Raises: Unavailable, Rejected(REDIRECT), Rejected(TOO_LARGE).
        """
        with self.stream(method, url, headers=headers, body=body, length=length, scope=scope) as stream:
            found = bytearray()
            while chunk := stream.read(min(DRAIN_MAX, max_body + 1 - len(found))):
                found += chunk
                if len(found) > max_body:
                    raise Rejected(
                        Refusal.TOO_LARGE, f"{_shown(stream.url)} is longer than {max_body} bytes, which is too long."
                    )
            return Answer(stream.status, stream.headers, bytes(found), stream.url)

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | BinaryIO | None = None,
        length: int | None = None,
        scope: str | None = None,
        whole_s: float | None = None,
        tick: Callable[[], None] | None = None,
    ) -> Generator[Stream]:
        """As `request`, with the body left to the caller.

        `whole_s`: the whole answer may take so long; default: twice the timeout, and 60 s at least for what is sent.
        `tick`: called some times a second while nothing comes; what it raises ends the wait.
        """
        asking = _Asking(method, dict(headers or {}), body, length, scope, tick)
        limit_s = whole_s if whole_s is not None else max(60.0, 2 * self._config.timeout_s)
        asking.deadline = time.monotonic() + limit_s
        stream = self._follow(asking, url)
        try:
            yield stream
        except BaseException:
            stream.abandon()
            raise
        stream.finish()

    def refused(self, answer: Answer | Stream, doing: str, scope: str | None = None) -> Unavailable:
        """The error for a status that says no. `doing`: what was wanted, as `reading the manifest of x`."""
        origin = Origin.of(urlsplit(answer.url))
        after_s = retry_after_s(answer.headers)
        if answer.status in {401, 403}:
            why = self._authorizer.explain(origin, scope)
        elif answer.status in {404, 410}:
            why = "there is nothing of that name"
        elif answer.status in {429, 503}:
            why = "it is busy" + (f" and asks to come back in {after_s:.0f} s" if after_s is not None else "")
        else:
            why = "look into its log" if answer.status >= 500 else "it does not understand what is asked"
        return Unavailable(f"{origin} answers {answer.status} on {doing}: {why}.", retry_after_s=after_s)

    def close(self) -> None:
        """Let connections go; a later request makes new ones."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _follow(self, asking: "_Asking", url: str) -> Stream:
        first = _origin(url)
        logged_in = False
        hops = 0
        while True:
            origin = _origin(url)
            own = origin == first
            login = self._authorizer.header(origin, asking.scope) if own and asking.may_log_in else None
            stream = self._exchange(asking, url, login)
            if stream.status == 401 and own and asking.may_log_in and not logged_in:
                logged_in = True
                if self._log_in(stream, origin, asking.scope):
                    continue
            if stream.status not in _REDIRECTS or asking.method not in {"GET", "HEAD"}:
                return stream
            hops += 1
            location = stream.headers.get("location", "")
            stream.finish()
            url = self._redirected(url, location, first, hops)

    def _log_in(self, stream: Stream, origin: Origin, scope: str | None) -> bool:
        stream.finish()  # its connection may be wanted for the token
        return self._authorizer.challenged(origin, scope, stream.challenge) is not None

    def _redirected(self, url: str, location: str, first: Origin, hops: int) -> str:
        if hops > REDIRECTS_MAX:
            raise Rejected(
                Refusal.REDIRECT, f"{first} redirects more than {REDIRECTS_MAX} times; look at its settings."
            )
        try:
            there = urlsplit(urljoin(url, location))
            origin = Origin.of(there)
        except ValueError:
            raise Rejected(Refusal.REDIRECT, f"{first} redirects to what is no address: {location[:200]!r}.") from None
        allowed = {host.lower() for host in self._config.redirect_hosts}
        if origin.host != first.host and not {origin.host, f"{origin.host}:{origin.port}", str(origin)} & allowed:
            raise Rejected(
                Refusal.REDIRECT,
                f"{first} redirects to {origin}, which is not among delivery.redirect_hosts; add it if it is the "
                f"registry's storage.",
            )
        return there.geturl()

    def _exchange(self, asking: "_Asking", url: str, login: str | None) -> Stream:
        if len(url) > URL_MAX:
            raise Rejected(Refusal.REDIRECT, f"{_shown(url)} is an address of more than {URL_MAX} characters.")
        parts = urlsplit(url)
        connection = self._connection(Origin.of(parts))
        reused = connection.sock is not None
        try:
            try:
                return self._exchange_once(connection, asking, parts, login)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                connection.close()
                if not reused:
                    raise
                return self._exchange_once(connection, asking, parts, login)  # the server had closed an idle one
        except BROKEN as error:
            connection.close()
            raise transport_error(error, connection.origin) from error
        except BaseException:
            connection.close()
            raise

    def _exchange_once(self, connection: Connection, asking: "_Asking", url: SplitResult, login: str | None) -> Stream:
        if connection.sock is None:
            connection.connect()
        wire = connection.wire
        assert wire is not None
        wire.deadline = asking.deadline
        wire.tick = asking.tick
        headers = {"User-Agent": self._user_agent, **connection.proxy_headers(), **asking.headers}
        if login is not None:
            headers["Authorization"] = login
        if asking.length is not None:
            headers["Content-Length"] = str(asking.length)
        connection.request(asking.method, connection.target(url), asking.rewound(), headers)
        return Stream(url.geturl(), connection.getresponse(), connection)

    def _connection(self, origin: Origin) -> Connection:
        connection = self._connections.pop(origin, None)
        if connection is None:
            proxy = proxy_for(origin.scheme, origin.host, self._config.proxy)
            connection = Connection(origin, self._tls, proxy, self._config.timeout_s, self.traffic)
        self._connections[origin] = connection
        while len(self._connections) > CONNECTIONS_MAX:
            self._connections.pop(next(iter(self._connections))).close()
        return connection

    def _fetch_token(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        asking = _Asking(method, dict(headers), body, None, None, None, may_log_in=False)
        asking.deadline = time.monotonic() + 2 * self._config.timeout_s
        stream = self._exchange(asking, url, None)  # redirects are not followed: a password may be in it
        found = bytearray()
        try:
            while len(found) <= DRAIN_MAX and (chunk := stream.read(DRAIN_MAX)):
                found += chunk
        except BaseException:
            stream.abandon()
            raise
        stream.finish()
        return stream.status, bytes(found)


@dataclass(slots=True)
class _Asking:
    """One request over all its redirects and logins."""

    method: str
    headers: dict[str, str]
    body: bytes | BinaryIO | None
    length: int | None
    scope: str | None
    on_tick: Callable[[], None] | None
    may_log_in: bool = True
    deadline: float = float("inf")
    start: int | None = None

    def tick(self) -> None:
        if self.on_tick is not None:
            self.on_tick()

    def rewound(self) -> Any:
        """The body from its start."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        if self.start is None:
            self.start = self.body.tell()
        self.body.seek(self.start)
        return self.body


def _origin(url: str) -> Origin:
    try:
        return Origin.of(urlsplit(url))
    except ValueError as error:
        raise Unavailable(f"{_shown(url)} is no http or https address.") from error


def _shown(url: str) -> str:
    """Without query, where presigned addresses carry their key."""
    return url.partition("?")[0][:300]
