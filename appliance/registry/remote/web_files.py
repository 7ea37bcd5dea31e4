"""Files below a folder that a web server shows. What did not change is not sent again."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import BinaryIO, Final
from urllib.parse import quote

from appliance.registry.remote.http import HttpClient
from appliance.registry.remote.protocol import Progress
from appliance.registry.remote.ranges import Fetcher

_KEPT_MAX: Final = 4
"""The pointer and the statement, of two packages."""
_GONE: Final = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class _Kept:
    content: bytes
    conditions: Mapping[str, str]


class WebFiles:
    """As folder.Files."""

    def __init__(self, url: str, client: HttpClient, fetcher: Fetcher) -> None:
        """`url`: with a slash at its end."""
        self._url = url
        self._client = client
        self._fetcher = fetcher
        self._kept: dict[str, _Kept] = {}

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """As Files; with the server's validators, where it was read before."""
        kept = self._kept.get(path)
        if kept is not None and len(kept.content) > max_bytes:
            kept = None  # asked for in full, so that its length is refused
        headers = dict(kept.conditions) if kept else {}
        answer = self._client.request("GET", self._at(path), headers=headers, max_body=max_bytes)
        if answer.status == 304 and kept is not None:
            return kept.content
        self._kept.pop(path, None)
        if answer.status in _GONE:
            return None
        if answer.status != 200:
            raise self._client.refused(answer, f"reading {self._at(path)}")
        conditions = _conditions(answer.headers)
        if conditions:
            while len(self._kept) >= _KEPT_MAX:
                self._kept.pop(next(iter(self._kept)))
            self._kept[path] = _Kept(answer.body, conditions)
        return answer.body

    def size(self, path: str) -> int | None:
        """As Files: a HEAD, or a GET where the server does not say."""
        answer = self._client.request("HEAD", self._at(path))
        if answer.status in _GONE:
            return None
        said = answer.headers.get("content-length", "")
        if answer.status == 200 and said.isdecimal() and "content-encoding" not in answer.headers:
            return int(said)
        if answer.status not in {200, 405, 501}:
            raise self._client.refused(answer, f"looking at {self._at(path)}")
        content = self.read(path, 4 << 20)
        return None if content is None else len(content)

    def fetch(self, path: str, size: int, sink: BinaryIO, progress: Progress) -> None:
        """As Files."""
        self._fetcher.fetch(self._at(path), size, sink, progress)

    def close(self) -> None:
        """As Files."""
        self._client.close()

    def _at(self, path: str) -> str:
        return self._url + quote(path)


def _conditions(headers: Mapping[str, str]) -> dict[str, str]:
    """For the next request. A moment counts only where no change can hide in its second (RFC 9110, 8.8.2.2)."""
    etag, modified = headers.get("etag", ""), headers.get("last-modified", "")
    if etag and len(etag) < 200:
        return {"If-None-Match": etag}
    try:
        settled = (parsedate_to_datetime(headers.get("date", "")) - parsedate_to_datetime(modified)).total_seconds() > 1
    except (TypeError, ValueError):
        return {}
    return {"If-Modified-Since": modified} if settled else {}
