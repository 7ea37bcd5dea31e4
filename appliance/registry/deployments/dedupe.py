"""Who asks twice with the same key gets the first answer: MQTT's request_id, REST's Idempotency-Key."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from appliance.errors import ApplianceError

REMEMBERED_S: Final = 86_400.0
REMEMBERED_MAX: Final = 1000
KEY_MAX: Final = 128


class KeyConflict(ApplianceError):
    """The same key with another body (REST: 422)."""


class Answers:
    """The answers of the last 24 hours, at most 1000. One thread. `at`: seconds since 1970, by the caller's clock."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, Any, float]] = {}
        """Key: digest of the body, answer, moment; the oldest first."""

    def recall(self, key: str, body: bytes, at: float) -> Any | None:
        """The answer that this key had; None: a new one. Raises: KeyConflict; ApplianceError for an unfit key."""
        if not 0 < len(key) <= KEY_MAX:
            raise ApplianceError(f"the key of a request has {len(key)} characters; 1 to {KEY_MAX} are allowed")
        self._forget(at)
        if key not in self._kept:
            return None
        digest, answer, _ = self._kept[key]
        if digest != hashlib.sha256(body).hexdigest():
            raise KeyConflict(f"the key {key!r} was used for another request in the last 24 hours; take a new one")
        return answer

    def remember(self, key: str, body: bytes, answer: Any, at: float) -> None:
        """Keep an answer (JSON, not None). The first one stays."""
        self._forget(at)
        if key not in self._kept:
            self._kept[key] = hashlib.sha256(body).hexdigest(), answer, at
        while len(self._kept) > REMEMBERED_MAX:
            del self._kept[next(iter(self._kept))]

    def as_json(self) -> dict[str, Any]:
        """For disk: it has to outlive a restart."""
        return {key: list(value) for key, value in self._kept.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Answers":
        """The inverse; of what this program wrote. Raises: TypeError, ValueError."""
        answers = cls()
        for key, (digest, answer, at) in value.items():
            answers._kept[key] = digest, answer, at
        return answers

    def _forget(self, at: float) -> None:
        """A clock that went back keeps them longer; the number still has its limit."""
        for key in [key for key, (_, _, then) in self._kept.items() if at - then > REMEMBERED_S]:
            del self._kept[key]
