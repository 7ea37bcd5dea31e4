"""Who asks twice with the same key gets the first answer: MQTT's request_id, REST's Idempotency-Key."""

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

    def recall(self, key: str, body: bytes, at: float) -> Any | None:
        """The answer that this key had; None: a new one. Raises: KeyConflict."""
        raise NotImplementedError

    def remember(self, key: str, body: bytes, answer: Any, at: float) -> None:
        """Keep an answer (JSON)."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """For disk: it has to outlive a restart."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Answers":
        """The inverse."""
        raise NotImplementedError
