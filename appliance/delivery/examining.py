"""A candidate proves itself beside the line: it loads, answers golden samples, and looks on at the line's frames."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.delivery.candidate import Candidate, Frames, Trouble
from appliance.delivery.course import Course
from appliance.delivery.line import Line
from appliance.delivery.records import Records
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.events import (
    Accepted,
    Counted,
    Crashed,
    Event,
    Failed,
    Hold,
    Loaded,
    Refused,
    Report,
    ShadowPassed,
)
from appliance.registry.deployments.health import Outcome, judge_shadow
from appliance.registry.deployments.strategy import Strategy
from appliance.registry.errors import Refusal

_LOADS_S: Final = 900.0
_ANSWERS_S: Final = 1800.0
_TRANSIENT: Final = frozenset({"crashed", "hung", "load_error"})
"""While it loads, tried again: the box may have been short of something. The machine counts."""

MakeCandidate = Callable[[Path, str, Frames | None, Callable[[], None]], Candidate]


class Examining:
    """The acts of loading, accepting and shadowing, for one model. Thread: the courier's."""

    def __init__(
        self,
        records: Records,
        course: Course,
        line: Line,
        strategy: Strategy,
        frames: Frames | None,
        make: MakeCandidate,
        hold: Callable[[Deployment], Hold | None],
    ) -> None:
        """`make` starts nothing; `hold`: what keeps the switch itself, asked when all is proven."""
        self._records = records
        self._course = course
        self._line = line
        self._strategy = strategy
        self._frames = frames
        self._make = make
        self._hold = hold
        self._candidate: Candidate | None = None
        self._of: str | None = None

    def load(self, deployment: Deployment) -> Event:
        """In a process of its own; a new one at each attempt. Raises: Moved, Stopping, StoreError."""
        candidate = self._start(deployment)
        if isinstance(candidate, Failed):
            return candidate
        if not self._course.wait_until(lambda: bool(candidate.loaded or candidate.trouble), _LOADS_S):
            return Failed("hung", f"It was not loaded within {_LOADS_S:g} s; look at the log.")
        if candidate.trouble is None:
            return Loaded()
        if candidate.trouble.reason in _TRANSIENT and deployment.attempts < 3:
            return Crashed(line=False)
        return _ended(candidate.trouble)

    def accept(self, deployment: Deployment) -> Event:
        """Until its golden samples are judged. Raises: Moved, Stopping, StoreError."""
        candidate = self._running(deployment)
        if isinstance(candidate, Failed):
            return candidate
        if not self._course.wait_until(lambda: bool(candidate.acceptance or candidate.trouble), _ANSWERS_S):
            return Failed("hung", f"The golden samples were not judged within {_ANSWERS_S:g} s; look at the log.")
        if candidate.trouble is not None:
            return _ended(candidate.trouble)
        if not (candidate.loaded and candidate.acceptance):
            raise RuntimeError("a candidate that was accepted has been loaded")
        report = {
            **candidate.acceptance,
            "engine": candidate.loaded["engine"],
            "load_s": candidate.loaded["seconds"],
            "memory_bytes": candidate.loaded["memory_bytes"],
        }
        return Accepted(report, hold=self._hold(deployment))

    def shadow(self, deployment: Deployment) -> Event:
        """Until it saw enough, or fell behind. Raises: Moved, Stopping, StoreError."""
        candidate = self._running(deployment)
        if isinstance(candidate, Failed):
            return candidate
        if not self._course.wait_until(lambda: bool(candidate.acceptance or candidate.trouble), _LOADS_S + _ANSWERS_S):
            return Failed("hung", "It did not come back after a restart; look at the log.")
        candidate.look_on()
        self._line.wish(deployment.model, shadow=True)
        begun = time.monotonic()
        try:
            while True:
                self._course.wait(0.5)
                if candidate.trouble is not None:
                    return _ended(candidate.trouble)
                seen: Report = candidate.shadow or {}
                if not seen:
                    continue
                judgement = judge_shadow(seen, self._strategy.shadow, time.monotonic() - begun)
                if judgement.outcome is Outcome.PASSED:
                    return ShadowPassed(judgement.report, hold=self._hold(deployment))
                if judgement.outcome is Outcome.FAILED:
                    return Failed(judgement.reason or "shadow", judgement.detail, judgement.report)
                self._course.tell(Counted(judgement.report))
        finally:
            self._line.wish(deployment.model, shadow=False)

    def end(self) -> None:
        """No candidate runs any more: it has proven what it had to, or has failed."""
        candidate, self._candidate, self._of = self._candidate, None, None
        if candidate is not None:
            candidate.stop()

    def _running(self, deployment: Deployment) -> Candidate | Failed:
        """The one that was loaded; after a restart of this process a new one, which proves all of it again."""
        if self._candidate is not None and self._of == deployment.id:
            return self._candidate
        return self._start(deployment)

    def _start(self, deployment: Deployment) -> Candidate | Failed:
        self.end()
        with self._records.lock:
            held = None if deployment.release is None else self._records.store.held(deployment.release)
        if held is None:
            return Failed("not_held", f"Release {deployment.release} is not on this box any more; start it again.")
        candidate = self._make(held.folder, held.digest, self._frames, self._course.wake)
        try:
            candidate.start()
        except OSError as error:
            return Failed(
                "load_error", f"No process could be started to examine it: {error}; look at memory and limits."
            )
        self._candidate, self._of = candidate, deployment.id
        return candidate


def _ended(trouble: Trouble) -> Event:
    """What came of it. Files that are not what was verified are no failure of the model's."""
    if trouble.reason == "changed":
        return Refused(Refusal.CONTENT.value, trouble.detail)
    return Failed(trouble.reason, trouble.detail, trouble.report)
