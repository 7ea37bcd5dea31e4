"""Who asks twice with the same key is told what came of the first time: in memory, for the life of a process."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from appliance.errors import ApplianceError
from appliance.steering.requests import Request

REMEMBERED_MAX: Final = 1000
_FIRST_S: Final = 10.0

Outcome = TypeVar("Outcome")


class KeyConflict(ApplianceError):
    """The same key with another request."""


class _Asked(Generic[Outcome]):
    """One request with a key, done or being done."""

    def __init__(self, body: str) -> None:
        self.body = body
        self.done = threading.Event()
        self.outcome: Outcome | None = None
        """None where it failed; then it may be tried again."""


class Once(Generic[Outcome]):
    """Remembers the newest 1000. Any thread; two with the same key at once: the second waits for the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Asked[Outcome]] = OrderedDict()  # guarded by _lock

    def do(self, request: Request, act: Callable[[], Outcome]) -> tuple[Outcome, bool]:
        """What comes of it, and whether that was known. Raises: KeyConflict, and what `act` raises."""
        if request.key is None:
            return act(), False
        key = f"{request.verb.value} {request.key}"
        body = json.dumps({name: one for name, one in request.body.items() if name != "wait_s"}, sort_keys=True)
        asked, is_first = self._taken(key, body)
        if not is_first:
            return self._known(asked, request.key, body), True
        try:
            asked.outcome = act()
        finally:
            asked.done.set()
            if asked.outcome is None:
                with self._lock:
                    self._kept.pop(key, None)
        return asked.outcome, False

    def _taken(self, key: str, body: str) -> tuple[_Asked[Outcome], bool]:
        with self._lock:
            asked = self._kept.get(key)
            if asked is not None:
                return asked, False
            asked = self._kept[key] = _Asked(body)
            while len(self._kept) > REMEMBERED_MAX:
                self._kept.popitem(last=False)
            return asked, True

    def _known(self, asked: _Asked[Outcome], key: str, body: str) -> Outcome:
        if asked.body != body:
            raise KeyConflict(f"The key {key!r} was used for another request; take a new one.")
        asked.done.wait(_FIRST_S)
        if asked.outcome is None:
            raise ApplianceError(f"The request with the key {key!r} that came before is not done yet, or failed.")
        return asked.outcome
