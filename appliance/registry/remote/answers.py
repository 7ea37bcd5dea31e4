"""Answers over HTTP: whole ones, and those that are read bit by bit."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance.registry.remote.connection import Connection, Cut, transport_error
from appliance.registry.remote.wire import Overdue

HEADERS_MAX: Final = 65_536
DRAIN_MAX: Final = 65_536
"""So much of an answer that nobody wants is read, so that its connection can be used again."""
BROKEN: Final = (OSError, http.client.HTTPException, Overdue)
"""What the standard library raises where a connection breaks; `transport_error` makes it ours."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    url: str
    """After redirects."""


class Stream:
    """An answer whose body is read bit by bit. Valid inside `HttpClient.stream` alone."""

    def __init__(self, url: str, response: http.client.HTTPResponse, connection: Connection) -> None:
        self.url = url
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.challenge = ", ".join(response.headers.get_all("WWW-Authenticate", []))
        self._response = response
        self._connection = connection
        self._left = None if response.chunked else response.length
        if sum(len(name) + len(value) for name, value in self.headers.items()) > HEADERS_MAX:
            raise http.client.HTTPException("its headers are too long")

    @property
    def length(self) -> int | None:
        """Bytes of the body that are still to come; None where the server does not say."""
        return self._left

    def read(self, count: int) -> bytes:
        """Up to `count` bytes, as they come; empty at the end. Raises: Cut."""
        if self._left is not None:
            count = min(count, self._left)
        if count == 0 or self._response.isclosed():
            return b""
        try:
            got = self._response.read1(count)
        except BROKEN as error:
            raise transport_error(error, self._connection.origin) from error
        if self._left is not None:
            self._left -= len(got)
            if not got:
                raise Cut(f"{self._connection.origin} closed the connection in the middle of an answer.")
        return got

    def finish(self) -> None:
        """Keep the connection where the body is at its end, or nearly; else let it go."""
        try:
            for _ in range(16):
                if self._left == 0 or self._response.isclosed() or not self.read(DRAIN_MAX // 16):
                    break
            else:
                self._left = None
        except Cut:
            self._left = None
        if self._left == 0 or self._response.isclosed():
            self._response.close()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the answer, and of the connection that would bring the rest of it."""
        self._response.close()
        self._connection.close()
