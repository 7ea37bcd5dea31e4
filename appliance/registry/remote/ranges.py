"""A long download over a bad link: closed ranges, no byte twice."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

from appliance.registry.config import DeliveryConfig
from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.remote.connection import Cut
from appliance.registry.remote.copying import write_all
from appliance.registry.remote.http import HttpClient, Stream
from appliance.registry.remote.pace import SlowWatch
from appliance.registry.remote.protocol import Progress

RANGE_BYTES: Final = 8 * 2**20
TRIES_MAX: Final = 5
"""Failures one after the other, without a byte between them, until it is given up for now."""
WINDOW_S: Final = 60.0
_BLOCK: Final = 262_144
_CONTENT_RANGE: Final = re.compile(r"bytes\s+(\d+)-(\d+)/(\d+|\*)")
_PASSING: Final = frozenset({500, 502, 504})
"""Statuses of proxies whose upstream hiccups."""


class Fetcher:
    """Brings one file after the other. One thread."""

    def __init__(
        self,
        client: HttpClient,
        config: DeliveryConfig,
        *,
        range_bytes: int = RANGE_BYTES,
        window_s: float = WINDOW_S,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`window_s`: below the lowest rate for so long is too slow. `pause`: how to wait between tries."""
        self._client = client
        self._min_rate = config.min_rate_kb_s * 1000
        self._max_s = config.download_max_s
        self._range_bytes = range_bytes
        self._window_s = window_s
        self._now = now
        self._pause = pause

    def fetch(self, url: str, size: int, sink: BinaryIO, progress: Progress, *, scope: str | None = None) -> None:
        """Write from `sink.tell()` on until `size` bytes are there. Raises: as Remote.fetch."""
        watch = SlowWatch(self._min_rate, self._window_s, self._now)
        download = _Download(url, size, sink, progress, scope, sink.tell(), self._now() + self._max_s, watch)
        failures = 0
        while download.at < size:
            before = download.at
            try:
                self._next_range(download)
            except (Cut, _Hiccup) as error:
                failures = failures + 1 if download.at == before else 0
                if failures >= TRIES_MAX:
                    raise Unavailable(str(error)) from error
                if failures:
                    watch.restart()
                    self._wait(0.25 * 2**failures, progress)
            finally:
                sink.flush()
            if self._now() > download.deadline and download.at < size:
                raise Rejected(
                    Refusal.TOO_SLOW, f"{download.shown} took longer than delivery.download_max_s; look at the link."
                )

    def _wait(self, wait_s: float, progress: Progress) -> None:
        while wait_s > 0:
            progress(0)  # a cancel does not wait for us
            self._pause(min(wait_s, 0.25))
            wait_s -= 0.25

    def _next_range(self, download: "_Download") -> None:
        last = min(download.at + self._range_bytes, download.size) - 1
        headers = {} if download.no_ranges else {"Range": f"bytes={download.at}-{last}"}
        with self._client.stream(
            "GET",
            download.url,
            headers=headers,
            scope=download.scope,
            whole_s=max(0.1, download.deadline - self._now()),
            tick=lambda: download.progress(0),
        ) as stream:
            if stream.status == 206:
                self._copy(download, stream, _checked_range(download, stream, last))
            elif stream.status == 200:
                self._skip_and_copy(download, stream)
            elif stream.status == 416:
                _unsatisfiable(download, stream)
            elif stream.status in _PASSING:
                raise _Hiccup(str(self._client.refused(stream, f"reading {download.shown}", download.scope)))
            else:
                raise self._client.refused(stream, f"reading {download.shown}", download.scope)

    def _skip_and_copy(self, download: "_Download", stream: Stream) -> None:
        """The server does not know ranges: pass over what is here, take the rest of this one answer."""
        if stream.length is not None and stream.length != download.size:
            raise _other_size(download, stream.length)
        passed = 0
        while passed < download.at:
            chunk = stream.read(min(_BLOCK, download.at - passed))
            if not chunk:
                raise _other_size(download, passed)
            passed += len(chunk)
            self._account(download, len(chunk), kept=False)
        self._copy(download, stream, download.size - download.at)
        if stream.length is None and stream.read(1):
            raise _other_size(download, None)

    def _copy(self, download: "_Download", stream: Stream, count: int) -> None:
        while count:
            chunk = stream.read(min(_BLOCK, count))
            if not chunk:
                raise Cut(f"{download.shown} ended early.")
            write_all(download.sink, chunk)
            download.at += len(chunk)
            count -= len(chunk)
            self._account(download, len(chunk), kept=True)

    def _account(self, download: "_Download", count: int, *, kept: bool) -> None:
        waited_s = self._client.limiter.take(count) if self._client.limiter is not None else 0.0
        download.progress(count if kept else 0)
        download.watch.came(count, waited_s)


class _Hiccup(Exception):
    """A status that the next try may not see."""


@dataclass(slots=True)
class _Download:
    """One file on its way."""

    url: str
    size: int
    sink: BinaryIO
    progress: Progress
    scope: str | None
    at: int
    deadline: float
    watch: SlowWatch
    no_ranges: bool = False

    @property
    def shown(self) -> str:
        return self.url.partition("?")[0]


def _checked_range(download: _Download, stream: Stream, last: int) -> int:
    """How many bytes of this answer are ours."""
    found = _CONTENT_RANGE.fullmatch(stream.headers.get("content-range", "").strip())
    if found is None or int(found[1]) != download.at:
        raise Unavailable(f"{download.shown} came as another part than was asked for; is there a broken proxy between?")
    if found[3] != "*" and int(found[3]) != download.size:
        raise _other_size(download, int(found[3]))
    count = int(found[2]) + 1 - download.at
    if not 0 < count <= last + 1 - download.at:
        raise Unavailable(f"{download.shown} came as another part than was asked for; is there a broken proxy between?")
    if stream.length is not None and stream.length > count:
        raise _other_size(download, None)
    return count


def _unsatisfiable(download: _Download, stream: Stream) -> None:
    """416: the file is shorter than it should be, or the server has trouble with ranges as such."""
    total = stream.headers.get("content-range", "").rpartition("/")[2]
    if total.isdecimal() and int(total) != download.size:
        raise _other_size(download, int(total))
    if download.no_ranges:
        raise Unavailable(f"{download.shown} is refused with 416 although no range was asked for.")
    download.no_ranges = True


def _other_size(download: _Download, size: int | None) -> Rejected:
    if size is not None and size < download.size:
        return Rejected(
            Refusal.CONTENT, f"{download.shown} has {size} bytes, and {download.size} were signed; publish it again."
        )
    more = "more" if size is None else str(size)
    return Rejected(
        Refusal.TOO_LARGE, f"{download.shown} has {more} bytes where {download.size} were signed; publish it again."
    )
