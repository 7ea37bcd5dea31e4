"""The line as the delivery process knows it: its newest status, and what is wished of it."""

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from appliance.link import Link
from appliance.status import DeliveredStatus, LineStatus

FRESH_S: Final = 10.0
"""A status older than this says nothing of the line: it hangs, or starts again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the line is to hold for one model, beside what `current` names."""

    candidate: int | None = None
    """Release to load beside."""
    keep: tuple[int, ...] = ()
    """Releases that stay loaded."""
    shadow: bool = False
    """Frames are offered to the examiner."""
    canary: bool = False
    """The candidate has a say."""


class Line:
    """Threads: any."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._status: LineStatus | None = None  # guarded by _lock
        self._at_s = 0.0  # guarded by _lock
        self._wishes: dict[str, Wish] = {}  # guarded by _lock

    def take(self, status: LineStatus) -> None:
        """The line's own words, newest."""
        with self._lock:
            self._status, self._at_s = status, time.monotonic()

    def status(self) -> LineStatus | None:
        """The newest; None before the first, and where it is old."""
        with self._lock:
            return self._status if time.monotonic() - self._at_s < FRESH_S else None

    def of(self, model: str) -> DeliveredStatus | None:
        """What the line says of one delivered model; None where nothing recent is known."""
        status = self.status()
        return None if status is None else status.deliveries.get(model)

    def wish(self, model: str, **changes: object) -> None:
        """Change what is wished of one model, and say so at once."""
        with self._lock:
            before = self._wishes.get(model, Wish())
            self._wishes[model] = replace(before, **changes)  # type: ignore[arg-type]
            is_new = self._wishes[model] != before
        if is_new:
            self.tell()

    def wishes(self) -> Mapping[str, Wish]:
        """All of them, now."""
        with self._lock:
            return dict(self._wishes)

    def tell(self) -> None:
        """The whole of what is wished; again and again, for a datagram may be dropped."""
        self._link.send("wish", {"models": {name: asdict(wish) for name, wish in self.wishes().items()}})

    def nudge(self) -> None:
        """The disk has changed: look now."""
        self._link.send("look", {})
