"""What a monitoring system counts of deliveries, from one document to the next. Pure; owned by one thread."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.steering.document import Document, deployments
from appliance.steering.sentences import ENDS


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the gateway started. Immutable."""

    ends: Mapping[tuple[str, str], int]
    """(model, state in which it ended) -> deployments."""
    fetched_bytes: Mapping[str, int]
    """Model -> bytes that came over the network."""


class Counting:
    """What had ended before the first document is not counted: a restart must not count it again."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._fetched: dict[str, int] = {}
        self._ends: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[str] = Counter()
        self._has_begun = False

    def take(self, document: Document) -> Counts:
        """The next document; the counts with it."""
        seen = {one["id"]: one for one in deployments(document)}
        for name in document["models"]:
            self._bytes[name] += 0
        for one in seen.values():
            self._count(one)
        self._has_begun = True
        self._states = {name: one["state"] for name, one in seen.items()}
        self._fetched = {name: int(one["bytes_fetched"]) for name, one in seen.items()}
        return Counts(dict(self._ends), dict(self._bytes))

    def _count(self, one: Mapping[str, Any]) -> None:
        model, state = str(one["model"]), str(one["state"])
        if not self._has_begun:
            return
        if state in ENDS and self._states.get(one["id"]) != state:
            self._ends[model, state] += 1
        self._bytes[model] += max(0, int(one["bytes_fetched"]) - self._fetched.get(one["id"], 0))
