"""Asks a box for a release over REST, and follows its deployment to the end."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from appliance import __version__
from appliance.publishing.errors import PublishError
from appliance.publishing.progress import Progress, in_bytes
from appliance.registry.config import DeliveryConfig
from appliance.registry.deployments.states import ENDS, State
from appliance.registry.errors import Unavailable
from appliance.registry.remote.http import Answer, HttpClient

_LOOK_S: Final = 0.5
_AWAY_S: Final = 120.0
"""A box may be restarting for so long."""
_WELL: Final = frozenset({State.SUCCESS, State.ALREADY_INSTALLED})
_TOKEN_MAX_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Box:
    """One box' REST port."""

    url: str
    """`http://line3-box1:8080`."""
    token_file: Path | None = None
    ca_file: Path | None = None


class Follower:
    """One deployment on one box. One thread."""

    def __init__(
        self,
        box: Box,
        progress: Progress,
        *,
        pause: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises: PublishError (an address or a token that cannot be used)."""
        parts = urlsplit(box.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise PublishError(f"{box.url} is no box' address; write http://HOST:8080.")
        self._url = box.url.rstrip("/")
        self._headers = {"Content-Type": "application/json", **_token(box.token_file)}
        self._http = HttpClient(DeliveryConfig(ca_file=box.ca_file), user_agent=f"appliance/{__version__}")
        self._progress = progress
        self._pause = pause
        self._now = now

    def ask(self, model: str, release: int) -> str:
        """Ask for a release; the deployment's id. Raises: PublishError, Unavailable."""
        body = json.dumps({"model": model, "release": release}).encode()
        headers = {**self._headers, "Idempotency-Key": secrets.token_hex(16)}
        answer = self._http.request("POST", f"{self._url}/deployments", headers=headers, body=body, length=len(body))
        if answer.status not in {200, 202}:
            raise self._said_no(answer)
        return str(_json(answer)["id"])

    def follow(self, deployment: str, max_s: float) -> Mapping[str, Any]:
        """Show each state as it comes; the deployment at its end. Raises: PublishError, Unavailable."""
        began = seen = self._now()
        shown = None
        while True:
            try:
                found = self._look(deployment)
                seen = self._now()
            except Unavailable:
                if self._now() - seen > _AWAY_S:
                    raise
                self._pause(_LOOK_S)
                continue
            if _line(found) != shown:
                shown = _line(found)
                self._progress.step(shown)
            if State(found["state"]) in ENDS:
                self._progress.done()
                return found
            if self._now() - began > max_s:
                raise PublishError(
                    f"The box is still {found['state']} after {max_s:.0f} s, and goes on by itself; "
                    f"look again with `appliance deployments`, or GET {self._url}/deployments/{deployment}."
                )
            self._pause(_LOOK_S)

    def close(self) -> None:
        """Let connections go."""
        self._http.close()

    def _look(self, deployment: str) -> Mapping[str, Any]:
        answer = self._http.request("GET", f"{self._url}/deployments/{deployment}", headers=self._headers)
        if answer.status >= 500:
            raise Unavailable(f"{self._url} answers {answer.status}; look into its log.")
        if answer.status != 200:
            raise self._said_no(answer)
        return _json(answer)

    def _said_no(self, answer: Answer) -> PublishError:
        if answer.status == 401:
            return PublishError(f"{self._url} wants to know who asks: name a token of this box with --token-file.")
        try:
            said = str(json.loads(answer.body)["error"])
        except (ValueError, KeyError, TypeError):
            said = f"it answers {answer.status}; is it a box' HTTP port?"
        return PublishError(f"{self._url}: {said}")


def ended_well(deployment: Mapping[str, Any]) -> bool:
    """Whether the release serves now."""
    return State(deployment["state"]) in _WELL


def as_text(deployment: Mapping[str, Any]) -> str:
    """How it ended, in a sentence."""
    why = deployment.get("detail") or deployment.get("reason")
    return (
        f"{deployment['model']} release {deployment.get('release')}: {deployment['state']}{f': {why}' if why else ''}"
    )


def _line(found: Mapping[str, Any]) -> str:
    waits = f", waits for {found['waiting_for']}" if found.get("waiting_for") else ""
    total = found.get("bytes_total") or 0
    size = (
        f" {in_bytes(found.get('bytes_done') or 0)} of {in_bytes(total)}"
        if total and found["state"] == "downloading"
        else ""
    )
    return f"box: {found['state']}{size}{waits}"


def _json(answer: Answer) -> Mapping[str, Any]:
    try:
        found = json.loads(answer.body)
        State(found["state"])
    except (ValueError, KeyError, TypeError) as error:
        raise PublishError(f"{answer.url} answers with no deployment; is it a box' HTTP port?") from error
    return dict(found)


def _token(file: Path | None) -> dict[str, str]:
    """The token alone, or the line `name token` of the box' own file."""
    if file is None:
        return {}
    try:
        words = file.read_text(encoding="ascii")[:_TOKEN_MAX_BYTES].split()
    except (OSError, UnicodeDecodeError) as error:
        raise PublishError(f"The token {file} cannot be read: {error}.") from error
    if not 1 <= len(words) <= 2:
        raise PublishError(f"{file} holds no token: one word, or a name and a token.")
    return {"Authorization": f"Bearer {words[-1]}"}
