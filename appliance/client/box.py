"""A box, asked over HTTP what it is steered by: each failure is one sentence."""

import getpass
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.client.errors import ClientError

_ANSWER_MAX_BYTES: Final = 16_000_000
_TOKEN_FILE_MAX: Final = 4096
_NOT_TOKEN: Final = re.compile(r"[^!-~]")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever the status says."""

    status: int
    body: Any
    """JSON; None where the answer has no body."""
    tag: str | None
    """Its ETag."""
    retry_after_s: float


class Box:
    """One box. Used by one thread; each question is a connection of its own."""

    def __init__(self, url: str, token_file: Path | None, timeout_s: float) -> None:
        """Raises: ClientError where the URL is none, or the token cannot be read."""
        parts = urllib.parse.urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ClientError(f"{url!r} is no address of a box; write it like http://line3-box1:8080.")
        self.url: Final = f"{parts.scheme}://{parts.netloc}"
        self._token = None if token_file is None else _token(token_file)
        self._timeout_s = timeout_s

    def read(self, path: str, *, tag: str | None = None, wait_s: float = 0.0) -> Reply:
        """GET; 304 where `tag` still holds after `wait_s`. Raises: ClientError."""
        query = f"?wait_s={wait_s:g}" if wait_s else ""
        headers = {} if tag is None else {"If-None-Match": tag}
        return self._ask("GET", path + query, None, headers, self._timeout_s + wait_s)

    def change(self, method: str, path: str, body: Mapping[str, Any] | None = None, key: str | None = None) -> Any:
        """POST, PUT or DELETE; the answer's JSON. Raises: ClientError with the box' sentence where it said no."""
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        said = self.said(self._ask(method, path, json.dumps(body or {}).encode(), headers, self._timeout_s))
        return said.body

    def said(self, reply: Reply) -> Reply:
        """The same, where it is no refusal. Raises: ClientError."""
        if reply.status < 400:
            return reply
        sentence = str(reply.body["error"]) if isinstance(reply.body, dict) and "error" in reply.body else ""
        if reply.status == 401:
            hint = (
                "name the file that holds the right one with --token-file" if self._token else "use --token-file FILE"
            )
            raise ClientError(f"{self.url} wants to know who asks: {sentence or 'HTTP status 401.'} Here: {hint}.")
        raise ClientError(f"{self.url} says: {sentence or f'HTTP status {reply.status}.'}")

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float) -> Reply:
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=dict(headers))  # noqa: S310
        request.add_header("From", user())
        if self._token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        try:
            with opener.open(request, timeout=timeout_s) as answer:
                return self._reply(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return self._reply(refused)
        except http.client.HTTPException as error:
            raise ClientError(f"{self.url} does not speak HTTP; is it the port of the box' page?") from error
        except (
            OSError,
            ValueError,
        ) as error:  # URLError and TimeoutError are OSErrors; a host that is none, a ValueError
            raise self._away(getattr(error, "reason", error), timeout_s) from error

    def _reply(self, answer: Any) -> Reply:
        raw = answer.read(_ANSWER_MAX_BYTES)
        retry_after = answer.headers.get("Retry-After") or ""
        try:
            body = json.loads(raw) if raw.strip() else None
        except ValueError:
            raise ClientError(
                f"{self.url} answers, and not as an appliance does; name the port of the box' page with --box URL."
            ) from None
        return Reply(
            answer.status, body, answer.headers.get("ETag"), float(retry_after) if retry_after.isdecimal() else 0.0
        )

    def _away(self, reason: Any, timeout_s: float) -> ClientError:
        if isinstance(reason, TimeoutError):
            return ClientError(f"{self.url} gave no answer within {timeout_s:g} s; wait longer with --timeout.")
        why = getattr(reason, "strerror", None) or reason
        return ClientError(
            f"No box answers at {self.url} ({why}); is the appliance running there? Name another with --box URL."
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A box sends nobody elsewhere; a token must not go there."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def user() -> str:
    """Who types, for the audit log; as far as the system knows it."""
    try:
        return re.sub(r"[^A-Za-z0-9_.@-]", "_", getpass.getuser())[:64]
    except (KeyError, OSError):
        return "unknown"


def _token(file: Path) -> str:
    """The last word of the first line that is no comment: a line of the box' own file will do. Raises: ClientError."""
    try:
        with file.expanduser().open("rb") as opened:
            text = opened.read(_TOKEN_FILE_MAX).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ClientError(f"The token cannot be read from {file}: {why}.") from error
    words = [line.split()[-1] for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not words or _NOT_TOKEN.search(words[0]):
        raise ClientError(f"There is no token in {file}; it holds one on a line of its own.")
    return words[0]
