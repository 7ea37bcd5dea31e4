"""Counts parts by the release that served when they came."""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from appliance.inspection import Reason, Result
from appliance.inspection.result import rfc3339
from appliance.registry.store.held import Held
from appliance.status import ReleaseTally

_BECAUSE_OF_THE_MODEL: Final = frozenset({Reason.MODEL_FAILED, Reason.MODEL_UNFIT, Reason.NO_MODEL})
_RELEASES_MAX: Final = 4


class ReleaseTallies:
    """One model's. Threads: any; about a microsecond a part."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[int, ReleaseTally] = {}  # by release, the newest last; guarded by _lock, as below
        self._by_version: dict[int, ReleaseTally] = {}
        self._pointer: ReleaseTally | None = None

    def serves(self, held: Held | None) -> None:
        """This release is the pointer from now on; it counts from zero."""
        with self._lock:
            self._pointer = None
            if held is None:
                return
            self._pointer = ReleaseTally(held.release, held.version, rfc3339(time.time_ns()))
            self._tallies.pop(held.release, None)
            self._tallies[held.release] = self._by_version[held.version] = self._pointer
            while len(self._tallies) > _RELEASES_MAX:
                self._tallies.pop(next(iter(self._tallies)))
            self._by_version = {one.version: one for one in self._tallies.values()}

    def renamed(self, held: Held) -> None:
        """What serves has another release's number, and is the same to the last bit: it counts on."""
        with self._lock:
            if self._pointer is not None:
                self._tallies.pop(self._pointer.release, None)
                self._pointer.release = held.release
                self._tallies[held.release] = self._pointer

    def count(self, result: Result) -> None:
        """One part more: of the version that judged it, or of the pointer where none did."""
        with self._lock:
            tally = self._pointer if result.model is None else self._by_version.get(result.model.version)
            if tally is None:
                return
            tally.parts += 1
            tally.passed += result.evaluation.verdict == "pass"
            tally.undefined += result.reason in _BECAUSE_OF_THE_MODEL
            tally.late += result.reason is Reason.DEADLINE_EXPIRED or not result.deadline_met

    def snapshot(self) -> Mapping[str, ReleaseTally]:
        """Copies, by release."""
        with self._lock:
            return {str(release): replace(tally) for release, tally in self._tallies.items()}
