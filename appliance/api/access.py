"""Who may change something over HTTP: programs of this box, and who shows a token; never a web page of another host."""

import hashlib
import hmac
import ipaddress
import os
import re
import socket
import stat
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from appliance.api.errors import ApiError

_FILE_MAX_BYTES: Final = 65_536
_NAME: Final = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_TOKEN: Final = re.compile(r"[!-~]{16,512}")
_TOO_OPEN: Final = 0o027
"""Nobody but its owner may write it, and others may not even read it."""


class Denied(ApiError):
    """Not allowed; `status` is HTTP's. Seen by the caller as it stands."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request decides it. Headers that are absent are None."""

    address: str | None
    host: str
    origin: str | None
    content_type: str | None
    authorization: str | None
    says: str | None
    """The `From` header: whom a program of this box acts for, by its own word."""


class Tokens:
    """A file of lines `name token`, read again when it changes. Any thread may ask."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._lock = threading.Lock()
        self._read: tuple[int, ...] | None = None  # guarded by _lock, as all below
        self._names: Mapping[bytes, str] = {}

    def name_of(self, token: str) -> str | None:
        """Whose it is; None where it is nobody's. The time does not tell how much of it was right. Raises: Denied."""
        with self._lock:
            names = self._newest()
        mark = hashlib.sha256(token.encode()).digest()
        found = None
        for known, name in names.items():
            if hmac.compare_digest(known, mark):
                found = name
        return found

    def _newest(self) -> Mapping[bytes, str]:
        try:
            with self._path.open("rb") as opened:
                status = os.fstat(opened.fileno())
                mark = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)
                if mark != self._read:
                    self._check_mode(status.st_mode)
                    self._names = self._names_in(opened.read(_FILE_MAX_BYTES + 1))
                    self._read = mark
        except OSError as error:
            self._read = None
            raise self._unusable(error.strerror or str(error)) from error
        return self._names

    def _check_mode(self, mode: int) -> None:
        if stat.S_IMODE(mode) & _TOO_OPEN:
            raise self._unusable(f"its mode is {stat.S_IMODE(mode):04o}; chmod 0640 or 0600 keeps it from others")

    def _names_in(self, raw: bytes) -> Mapping[bytes, str]:
        if len(raw) > _FILE_MAX_BYTES:
            raise self._unusable(f"it has more than {_FILE_MAX_BYTES} bytes")
        names = {}
        for number, line in enumerate(raw.decode(errors="replace").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, _, token = line.strip().partition(" ")
            if not _NAME.fullmatch(name) or not _TOKEN.fullmatch(token.strip()):
                raise self._unusable(f"line {number} is not a name, a space, and a token of 16 to 512 characters")
            names[hashlib.sha256(token.strip().encode()).digest()] = name
        return names

    def _unusable(self, why: str) -> Denied:
        return Denied(503, f"http.tokens_file {self._path} cannot be used: {why}.")


class Access:
    """The rule. Any thread may ask."""

    def __init__(self, tokens_file: Path | None = None, names: Sequence[str] = ()) -> None:
        """`names`: by which browsers may reach this box, besides its addresses, `localhost` and its own name."""
        self._tokens = None if tokens_file is None else Tokens(tokens_file)
        own = socket.gethostname().lower()
        self._names = frozenset({"localhost", own, own.partition(".")[0], *(name.lower() for name in names)})

    def who(self, asked: Asked) -> str:
        """The name for the audit log. Raises: Denied."""
        self._check_browser(asked)
        if asked.authorization is not None:
            return self._bearer(asked.authorization)
        if _is_loopback(asked.address):
            says = asked.says if asked.says and _NAME.fullmatch(asked.says) else None
            return "local" if says is None else f"local ({says})"
        if self._tokens is None:
            raise Denied(
                403,
                "Changes are taken from programs on this box only; to steer it from elsewhere, set http.tokens_file "
                "and send a token of it as Authorization: Bearer.",
            )
        raise Denied(
            401, "Changes from another host need a token: Authorization: Bearer TOKEN, one of http.tokens_file."
        )

    def _bearer(self, authorization: str) -> str:
        kind, _, token = authorization.strip().partition(" ")
        if kind.lower() != "bearer":
            raise Denied(
                401, f"Authorization is {kind[:20]!r} here; it has to be Bearer and a token of http.tokens_file."
            )
        if self._tokens is None:
            raise Denied(401, "This box takes no tokens: http.tokens_file is not set.")
        name = self._tokens.name_of(token.strip())
        if name is None:
            raise Denied(401, "The token is wrong: it is in no line of this box' http.tokens_file.")
        return name

    def _check_browser(self, asked: Asked) -> None:
        """A page of another host, opened in a browser that reaches this box, must not be able to change anything."""
        kind = (asked.content_type or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Denied(415, "Changes need Content-Type: application/json, also without a body.")
        if not self._is_ours(asked.host):
            raise Denied(
                403,
                f"This box is not {_shown(asked.host)}: ask it by its address or own name, or add that to http.names.",
            )
        if asked.origin is not None and urlsplit_host(asked.origin) != asked.host.lower():
            raise Denied(403, f"A page of {_shown(asked.origin)} may not change anything here.")

    def _is_ours(self, host: str) -> bool:
        """An address cannot be a name that somebody else's name server has turned towards us."""
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if not name:
            return False
        return name.lower() in self._names or _is_address(name)


def urlsplit_host(origin: str) -> str | None:
    """Host and port as a Host header has them; None for `null` and whatever is no origin."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(address: str | None) -> bool:
    try:
        one = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(one, "ipv4_mapped", None)
    return bool((mapped or one).is_loopback)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")
