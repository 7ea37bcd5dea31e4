"""Logins of registries, from a file as docker and podman write it."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from appliance.registry.errors import Unavailable

FILE_MAX_BYTES: Final = 1_000_000
_DOCKER_HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True)
class Login:
    """One account. Its secrets are in no text that anybody reads."""

    user: str
    password: str = field(repr=False)
    identity_token: str | None = field(default=None, repr=False)
    """Instead of a password: what `docker login` got from the registry."""

    @property
    def basic(self) -> str:
        """As an Authorization header has it."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Credentials:
    """The logins of one file."""

    def __init__(self, logins: Mapping[str, Login], source: Path | None = None) -> None:
        """`logins`: by host, host:port, or host/repository prefix."""
        self._logins = {_key(name): login for name, login in logins.items()}
        self.source = source

    def for_host(self, host: str, path: str = "") -> Login | None:
        """The login for `host[:port]` and a repository, the longest prefix first."""
        parts = [part for part in path.split("/") if part]
        for count in range(len(parts), -1, -1):
            found = self._logins.get("/".join([_key(host), *parts[:count]]))
            if found is not None:
                return found
        return None


def read_credentials(file: Path | None) -> Credentials:
    """From docker's config.json: `auth`, `username` and `password`, or `identitytoken`. Raises: Unavailable."""
    if file is None:
        return Credentials({})
    try:
        with file.open("rb") as opened:
            raw = opened.read(FILE_MAX_BYTES)
        value = json.loads(raw)
        auths = value.get("auths", {})
        logins = {str(host): login for host, entry in auths.items() if (login := _login(entry)) is not None}
    except OSError as error:
        raise Unavailable(f"delivery.credentials_file {file} cannot be read: {error.strerror}.") from error
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise Unavailable(
            f"delivery.credentials_file {file} is not as docker's config.json; `skopeo login` writes it."
        ) from None  # the error's text would show the file's content
    return Credentials(logins, file)


def _login(entry: Mapping[str, Any]) -> Login | None:
    """None for an entry whose secret lies in a credential helper."""
    user, password = entry.get("username", ""), entry.get("password", "")
    if entry.get("auth"):
        try:
            user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        except binascii.Error:
            raise ValueError from None
    token = entry.get("identitytoken") or None
    if not token and not (user and password):
        return None
    return Login(str(user), str(password).rstrip("\x00"), token)


def _key(name: str) -> str:
    """`https://index.docker.io/v1/` and `docker.io` are one host, as docker has it."""
    name = name.partition("://")[2] or name
    host, _, path = name.rstrip("/").partition("/")
    host = "docker.io" if host in _DOCKER_HUB else host.lower()
    path = "" if path in {"v1", "v2"} else path
    return f"{host}/{path}" if path else host
