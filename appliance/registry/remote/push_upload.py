"""Brings one blob into an OCI registry (distribution-spec v1.1, "Pushing blobs").

Small ones go in one piece. Large ones go in chunks where the registry takes them, so that a cut link costs a chunk
and not the file; where it does not, they go in one piece, too.
"""

import io
import re
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, cast
from urllib.parse import urljoin

from appliance.registry.errors import Unavailable
from appliance.registry.remote.http import Answer, HttpClient, Stream

CHUNK_BYTES: Final = 32 << 20
_TRIES: Final = 5
_WHOLE_S: Final = 120.0
_SLOWEST: Final = 20_000
"""Bytes a second: one request may take as long as this says, and `_WHOLE_S`."""
_WORDS_MAX: Final = 4096
_CREATED, _ACCEPTED, _NO_CONTENT = 201, 202, 204
_OCTETS: Final = {"Content-Type": "application/octet-stream"}


class Slice(io.RawIOBase):
    """A part of an open file as a file of its own; tells how far it was read. May be rewound."""

    def __init__(self, file: BinaryIO, start: int, size: int, advance: Callable[[int], None]) -> None:
        super().__init__()
        self._file, self._start, self._size, self._advance = file, start, size, advance
        self._position = self._told = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """To any place in the slice."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; what is read again is told once."""
        left = max(0, self._size - self._position)
        self._file.seek(self._start + self._position)
        found = self._file.read(left if size < 0 else min(size, left))
        self._position += len(found)
        if self._position > self._told:
            self._advance(self._position - self._told)
            self._told = self._position
        return found


class Uploader:
    """Blobs into one repository. One thread."""

    def __init__(self, http: HttpClient, repository_url: str, scope: str) -> None:
        """`repository_url`: `https://host/v2/NAME`; `scope`: what a token has to allow."""
        self._http = http
        self._url = repository_url
        self._scope = scope
        self._chunk = CHUNK_BYTES
        self._takes_chunks = True

    def has(self, digest: str) -> bool:
        """Whether the repository holds this blob: a HEAD request."""
        answer = self._ask_for("HEAD", f"{self._url}/blobs/{digest}")
        if answer.status not in {200, 404}:
            raise self._refused(answer, "looking for a blob")
        return answer.status == 200

    def send(self, digest: str, file: BinaryIO, size: int, advance: Callable[[int], None]) -> None:
        """Upload `size` bytes. Raises: Unavailable, also where the registry finds another digest."""
        where, least = self._begin()
        told = _Once(advance)
        if size > self._chunk and self._takes_chunks:
            sent = self._in_chunks(where, max(self._chunk, least), file, size, told)
            if sent is not None:
                self._finish(sent, digest, b"", 0)
                return
            self._takes_chunks = False
            where, _ = self._begin()
        told.begin(0)
        self._finish(where, digest, Slice(file, 0, size, told.more), size)

    def _begin(self) -> tuple[str, int]:
        """Where to send it, and the smallest chunk that the registry takes."""
        answer = self._ask_for("POST", f"{self._url}/blobs/uploads/", body=b"")
        if answer.status != _ACCEPTED:
            raise self._refused(answer, "beginning an upload")
        return self._next(answer, self._url), int(answer.headers.get("oci-chunk-min-length", "0") or 0)

    def _in_chunks(self, where: str, chunk: int, file: BinaryIO, size: int, told: "_Once") -> str | None:
        """Where to finish; None where the registry takes no chunks, or loses its way in them after a cut."""
        position, tries = 0, 0
        while position < size:
            count = min(chunk, size - position)
            try:
                answer = self._patch(where, file, position, count, told)
            except Unavailable:
                tries += 1
                if tries >= _TRIES:
                    raise
                where, position = self._ask(where)
                continue
            if answer.status != _ACCEPTED:
                if answer.status in {401, 403, 413, 429, 503, 507}:
                    raise self._refused(answer, "sending a chunk")
                return None  # docker-registry 2.8 answers 500 where a cut spoilt the hash that it had begun
            where, position, tries = self._next(answer, where), position + count, 0
        return where

    def _patch(self, where: str, file: BinaryIO, position: int, count: int, told: "_Once") -> Answer:
        part = Slice(file, position, count, told.more)
        headers = {**_OCTETS, "Content-Range": f"{position}-{position + count - 1}"}
        told.begin(position)
        return self._ask_for("PATCH", where, headers, part, count)

    def _ask(self, where: str) -> tuple[str, int]:
        """Where an upload stands, after the link was cut."""
        answer = self._ask_for("GET", where)
        if answer.status != _NO_CONTENT:
            raise self._refused(answer, "asking how far an upload came")
        found = re.fullmatch(r"(?:bytes=)?0-(\d+)", answer.headers.get("range", "0-0"))
        last = int(found[1]) if found else 0
        return self._next(answer, where), last + 1 if last else 0

    def _finish(self, where: str, digest: str, body: bytes | Slice, size: int) -> None:
        url = f"{where}{'&' if '?' in where else '?'}digest={digest}"
        answer = self._ask_for("PUT", url, _OCTETS, body, size)
        if answer.status != _CREATED:
            raise self._refused(answer, "finishing an upload")

    def _ask_for(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Slice | None = None,
        length: int = 0,
    ) -> Answer:
        """As the client's `request`, with time for slow links."""
        with self._http.stream(
            method,
            url,
            headers=headers,
            body=cast(BinaryIO, body) if isinstance(body, Slice) else body,
            length=None if body is None else length,
            scope=self._scope,
            whole_s=_WHOLE_S + length / _SLOWEST,
        ) as stream:
            found = b""
            while len(found) < _WORDS_MAX and (chunk := stream.read(_WORDS_MAX)):
                found += chunk
            return Answer(stream.status, stream.headers, found, stream.url)

    def _refused(self, answer: Answer, doing: str) -> Unavailable:
        return refused(self._http, answer, doing, self._scope, answer.body.decode(errors="replace"))

    def _next(self, answer: Answer, asked: str) -> str:
        location = answer.headers.get("location")
        if not location:
            raise Unavailable(f"{asked} took an upload and did not say where to; is it an OCI registry?")
        return urljoin(asked, location)


class _Once:
    """Tells how far a file came; what is sent again is not told again."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._told = self._now = 0

    def begin(self, position: int) -> None:
        self._now = position

    def more(self, count: int) -> None:
        self._now += count
        if self._now > self._told:
            self._advance(self._now - self._told)
            self._told = self._now


def refused(http: HttpClient, answer: Answer | Stream, doing: str, scope: str, said: str = "") -> Unavailable:
    """What the client says of such an answer, and the registry's own words."""
    error = http.refused(answer, doing, scope)
    words = re.sub(r"\s+", " ", said).strip()[:300]
    full = " Its disk is full: make room there." if "no space" in words.lower() or answer.status == 507 else ""
    return Unavailable(f"{error}{full}{f' It says: {words}' if words else ''}", retry_after_s=error.retry_after_s)
