"""One HTTP client for all places: connections kept open, TLS, proxies, redirects, logins, and a limit on everything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from appliance.registry.config import DeliveryConfig
from appliance.registry.remote.pace import RateLimiter


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    url: str
    """After redirects."""


class HttpClient:
    """One thread at a time. Every call ends in time."""

    def __init__(self, config: DeliveryConfig, *, user_agent: str, limiter: RateLimiter | None = None) -> None:
        """Raises: Unavailable (an unreadable credentials or CA file)."""
        raise NotImplementedError

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
        raise NotImplementedError

    def close(self) -> None:
        """Let connections go."""
        raise NotImplementedError
