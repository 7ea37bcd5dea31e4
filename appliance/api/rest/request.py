"""One HTTP request as a WSGI server hands it over, with its body bounded, and its answer."""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from appliance.dataplane import RequestError

JSON: Final = "application/json"
_GZIP: Final = 31  # zlib's number for: gzip, and nothing else
_READ_BYTES: Final = 1 << 20
_REASONS: Final = {499: "Client Closed Request"}

StartResponse = Callable[..., Any]


class BodyTooLarge(Exception):
    """The inflated body passes the limit."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, start_response: StartResponse, more: Mapping[str, str]) -> list[bytes]:
        """As WSGI wants it, with `more` headers."""
        reason = _REASONS.get(self.status) or HTTPStatus(self.status).phrase
        fixed = {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        start_response(f"{self.status} {reason}", list({**fixed, **self.headers, **more}.items()))
        return [self.body]


class Request:
    """Used by one thread."""

    def __init__(self, environ: Mapping[str, Any], body_max_bytes: int) -> None:
        self._environ = environ
        self._body_max_bytes = body_max_bytes
        self.verb: str = environ["REQUEST_METHOD"]
        self.path = _target(environ)
        """Path and query string, as they were sent."""

    def header(self, name: str) -> str:
        """A header's value; empty where it was not sent."""
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else "HTTP_" + key
        value: str = self._environ.get(key, "")
        return value

    def body(self) -> bytes:
        """The whole body, inflated; empty where it says gzip and is none. Raises: BodyTooLarge."""
        stream = self._environ["wsgi.input"]
        if "gzip" not in self.header("Content-Encoding").lower():
            whole: bytes = stream.read()
            return whole
        return _inflated(stream, self._body_max_bytes)


def _target(environ: Mapping[str, Any]) -> str:
    target: str = environ["REQUEST_URI"].encode("latin-1").decode("utf-8", "surrogateescape")
    if not target.startswith("/") and "://" in target:  # as sent to a proxy
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target


def _inflated(stream: Any, limit: int) -> bytes:
    """Raises: BodyTooLarge as soon as the limit is passed."""
    inflater = zlib.decompressobj(_GZIP)
    parts: list[bytes] = []
    size = 0
    try:
        while not inflater.eof:
            packed = inflater.unconsumed_tail or stream.read(_READ_BYTES)
            if not packed:
                return b""
            part = inflater.decompress(packed, _READ_BYTES)
            size += len(part)
            if size > limit:
                raise BodyTooLarge
            parts.append(part)
    except zlib.error:
        return b""
    return b"".join(parts)


def json_answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of our own; TensorFlow Serving's have a layout of theirs."""
    return Answer(
        status, json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogateescape"), headers=headers or {}
    )


def error_answer(error: RequestError) -> Answer:
    """`{"error": ...}` as the protocols other than TensorFlow Serving's send it: on one line."""
    return json_answer(error.code.http, {"error": str(error)})
