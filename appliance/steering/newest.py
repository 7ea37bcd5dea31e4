"""The newest document in the gateway's memory: what is read is answered from here, and waits here for a change."""

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import Any, Final

from appliance.steering.client import AWAY
from appliance.steering.document import Document


@dataclass(frozen=True, slots=True)
class Seen:
    """How it stood at one moment."""

    document: Document | None
    """None while the delivery process is away, or before its first word."""
    tag: str
    """Another for each document that says something else: an ETag, with its quotes."""
    problem: str | None
    """Why there is no document; one sentence."""


NOTHING: Final = Seen(None, '"none"', AWAY)


class Newest:
    """Thread-safe: any method from any thread; each but wait() holds the lock for microseconds."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # guarded by _changed:
        self._seen = NOTHING
        self._closed = False

    def take(self, document: Document) -> None:
        """There is a new one. Where it differs in `at` alone, the one before stays: an ETag stands for its bytes."""
        tag = tag_of(document)
        with self._changed:
            if tag != self._seen.tag:
                self._seen = Seen(document, tag, None)
                self._changed.notify_all()

    def lost(self, problem: str) -> None:
        """The delivery process is away."""
        with self._changed:
            if self._seen.document is not None:
                self._seen = Seen(None, NOTHING.tag, problem)
                self._changed.notify_all()

    def now(self) -> Seen:
        """How it stands."""
        with self._changed:
            return self._seen

    def wait(self, tag: str, timeout_s: float) -> Seen:
        """How it stands once that is not `tag` any more, or the time is over, or close() was called."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._seen.tag != tag, timeout_s)
            return self._seen

    def close(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def tag_of(value: Any) -> str:
    """An ETag of JSON, without `at` at its top: that moment changes when nothing else does. Some 2 ms for 200 kB."""
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if name != "at"}
    raw = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return f'"{hashlib.sha256(raw).hexdigest()[:32]}"'
