"""How a registry wants to be logged in to: not at all, with a password, or with a token that another server gives."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from appliance.registry.errors import Unavailable
from appliance.registry.remote.connection import Origin
from appliance.registry.remote.credentials import Credentials, Login

_CHALLENGE: Final = re.compile(r"(?:^|,)\s*(Basic|Bearer)\s+", re.IGNORECASE)
_PARAMETER: Final = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_TOKEN_MAX: Final = 16_384
_TOKEN_LIFE_S: Final = 60.0
"""Where the server does not say, as the token specification has it."""

Fetch = Callable[[str, str, Mapping[str, str], bytes | None], tuple[int, bytes]]
"""Method, URL, headers, body -> status and body, without any login of ours."""


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    good_until: float


class Authorizer:
    """Authorization headers for one client, remembered until they expire. One thread."""

    def __init__(self, credentials: Credentials, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._credentials = credentials
        self._fetch = fetch
        self._now = now
        self._basic: dict[Origin, str] = {}
        self._tokens: dict[tuple[Origin, str | None], _Token] = {}

    def header(self, origin: Origin, scope: str | None) -> str | None:
        """What this server took before, so that it need not ask again."""
        token = self._tokens.get((origin, scope))
        if token is not None and self._now() < token.good_until:
            return token.header
        return self._basic.get(origin)

    def challenged(self, origin: Origin, scope: str | None, challenge: str) -> str | None:
        """The header that answers a 401; None where nothing new can be said. Raises: Unavailable."""
        login = self._credentials.for_host(str(origin), _repository(scope))
        found = _challenges(challenge)
        if "bearer" in found:
            self._tokens.pop((origin, scope), None)
            token = self._token(origin, scope, found["bearer"], login)
            self._tokens[origin, scope] = token
            return token.header
        if "basic" in found and login is not None and self._basic.get(origin) != login.basic:
            self._basic[origin] = login.basic
            return login.basic
        return None

    def explain(self, origin: Origin, scope: str | None) -> str:
        """What to do about a refused login, for people."""
        login = self._credentials.for_host(str(origin), _repository(scope))
        where = self._credentials.source or "delivery.credentials_file"
        if login is not None:
            return f"the login of {login.user!r} in {where} is refused; check its password and rights"
        return f"it asks for a login, and {where} has none for {origin}"

    def _token(self, origin: Origin, scope: str | None, asked: Mapping[str, str], login: Login | None) -> _Token:
        realm = self._checked_realm(origin, asked.get("realm", ""))
        query = {"service": asked.get("service", ""), "scope": asked.get("scope") or scope or ""}
        query = {name: value for name, value in query.items() if value}
        if login is not None and login.identity_token:
            form = {"grant_type": "refresh_token", "client_id": "appliance", "refresh_token": login.identity_token}
            content_type = {"Content-Type": "application/x-www-form-urlencoded"}
            status, body = self._fetch("POST", realm, content_type, urlencode({**query, **form}).encode())
        else:
            headers = {"Authorization": login.basic} if login else {}
            joint = "&" if urlsplit(realm).query else "?"
            status, body = self._fetch("GET", realm + (joint + urlencode(query) if query else ""), headers, None)
        if status in {401, 403}:
            raise Unavailable(f"No token for {origin}: {self.explain(origin, scope)}.")
        if status != 200:
            raise Unavailable(f"The token server {_host(realm)} of {origin} answers {status}; try again later.")
        return self._read_token(origin, body)

    def _read_token(self, origin: Origin, body: bytes) -> _Token:
        try:
            value: Any = json.loads(body)
            text = value.get("token") or value.get("access_token")
            life_s = min(max(float(value.get("expires_in") or _TOKEN_LIFE_S), 0.0), 86_400.0)
        except (ValueError, AttributeError, TypeError, RecursionError):
            text, life_s = None, 0.0
        if not isinstance(text, str) or not 0 < len(text) <= _TOKEN_MAX or not re.fullmatch(r"[\x21-\x7e]+", text):
            raise Unavailable(f"The token server of {origin} answers without a token; is its address right?")
        return _Token(f"Bearer {text}", self._now() + life_s * 0.9)

    @staticmethod
    def _checked_realm(origin: Origin, realm: str) -> str:
        """A password goes only where the registry itself is, or over TLS; and never from TLS to none."""
        try:
            there = Origin.of(urlsplit(realm))
        except ValueError:
            raise Unavailable(f"{origin} names a token server that is no address: {realm[:200]!r}.") from None
        own = there.host == origin.host and origin.scheme == "http"
        if "@" in urlsplit(realm).netloc or (there.scheme != "https" and not own):
            raise Unavailable(
                f"{origin} sends logins to {there} without TLS, which is refused; its token server has to speak https."
            )
        return realm


def _challenges(header: str) -> dict[str, dict[str, str]]:
    """Each scheme's parameters, of one or more joined WWW-Authenticate headers."""
    pieces = _CHALLENGE.split(header[:8192])
    found: dict[str, dict[str, str]] = {}
    for scheme, text in zip(pieces[1::2], pieces[2::2], strict=False):
        parameters = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in _PARAMETER.findall(text)
        }
        found.setdefault(scheme.lower(), parameters)
    return found


def _repository(scope: str | None) -> str:
    """`models/surface` of `repository:models/surface:pull`."""
    parts = (scope or "").split(":")
    return parts[1] if len(parts) == 3 else ""


def _host(url: str) -> str:
    return urlsplit(url).hostname or "?"
