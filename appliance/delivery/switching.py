"""The pointer moves: canary, activation, probation and the way back. What the line says of itself decides."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from appliance.delivery.course import Course
from appliance.delivery.line import Line
from appliance.delivery.records import Records
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.events import (
    Activated,
    CanaryPassed,
    Committed,
    Counted,
    Disappointed,
    Event,
    Failed,
    Hold,
    RollbackFailed,
    RolledBack,
)
from appliance.registry.deployments.health import Outcome, judge_canary, judge_probation
from appliance.registry.deployments.strategy import Strategy
from appliance.registry.errors import StoreError
from appliance.registry.store.held import Held
from appliance.status import DeliveredStatus, ReleaseStatus, ReleaseTally

_LOADS_S: Final = 300.0
"""The line loads a release that was prepared before: seconds."""
_SWAPS_S: Final = 30.0
_BASELINE: Final = "baseline"


class Switching:
    """The acts of canary, activating, probation and rolling back, for one model. Thread: the courier's."""

    def __init__(
        self,
        records: Records,
        course: Course,
        line: Line,
        strategy: Strategy,
        hold: Callable[[Deployment], Hold | None],
    ) -> None:
        """`hold`: what keeps the switch itself, asked when all is proven."""
        self._records = records
        self._store = records.store
        self._course = course
        self._line = line
        self._strategy = strategy
        self._hold = hold

    def canary(self, deployment: Deployment) -> Event:
        """Both models judge, and a part passes only where both pass it. Raises: Moved, Stopping, StoreError."""
        release = _known(deployment.release)
        self._note_baseline(deployment.model)  # what the candidate rejects from now on is not what was usual
        self._line.wish(deployment.model, candidate=release, canary=True)
        try:
            trouble = self._loaded(deployment.model, release)
            if trouble is not None:
                return Failed("load_error", trouble)
            begun = time.monotonic()
            while True:
                self._course.wait(0.5)
                status = self._line.of(deployment.model)
                if status is None or status.canary is None or status.canary.release != release:
                    continue
                counts = _counts(asdict(status.canary))
                judgement = judge_canary(counts, self._strategy.canary, time.monotonic() - begun)
                if judgement.outcome is Outcome.PASSED:
                    return CanaryPassed(judgement.report, hold=self._hold(deployment))
                if judgement.outcome is Outcome.FAILED:
                    return Failed(judgement.reason or "canary", judgement.detail, judgement.report)
                self._course.tell(Counted(judgement.report))
        finally:
            self._line.wish(deployment.model, canary=False)

    def activate(self, deployment: Deployment) -> Event:
        """Load beside, move the pointer, see that it has moved. Again after a kill: the rest of it.

        Raises: Moved, Stopping, StoreError, NoSpace.
        """
        release, model = _known(deployment.release), deployment.model
        with self._records.lock:
            current = self._store.current
        if current is None or current.release != release:
            before = () if current is None else (current.release,)
            self._line.wish(model, candidate=release, keep=before, canary=False)
            trouble = self._loaded(model, release)
            if trouble is not None:
                return Failed("load_error", trouble)
            if deployment.digest in self._records.facts.revoked:
                return Failed("revoked", "It was revoked while it proved itself.")
            if not self._strategy.canary.parts:
                self._note_baseline(model)
            with self._records.lock:
                self._store.activate(release, after_rename=self._line.nudge)
        self._line.nudge()
        with self._records.lock:
            previous = self._store.previous
        self._line.wish(model, candidate=None, keep=() if previous is None else (previous.release,), canary=False)
        # Whether the line follows is what probation sees first: a pointer that did not move is no success.
        return Activated(None if previous is None else previous.release)

    def watch(self, deployment: Deployment) -> Event:
        """Until it served long and well enough, or did not. Raises: Moved, Stopping, StoreError."""
        model, release = deployment.model, _known(deployment.release)
        keeps = self._strategy.probation.keep_loaded and deployment.previous is not None
        self._line.wish(model, candidate=None, keep=(_known(deployment.previous),) if keeps else ())
        begun = time.monotonic()
        before_s = float(deployment.reports.get("probation", {}).get("elapsed_s", 0.0))
        while True:
            status = self._line.of(model)
            if status is not None:
                trouble = self._is_out(status, release, time.monotonic() - begun)
                if trouble is not None:
                    return Disappointed("not_running", trouble)
                report = self._probation_report(deployment, status)
                elapsed_s = before_s + time.monotonic() - begun
                judgement = judge_probation(report, self._strategy.probation, elapsed_s, deployment.digest or "")
                if judgement.outcome is Outcome.PASSED:
                    return Committed(judgement.report)
                if judgement.outcome is Outcome.FAILED:
                    return Disappointed(judgement.reason or "probation", judgement.detail, judgement.report)
                self._course.tell(Counted(judgement.report))
            self._course.wait(0.5)

    def roll_back(self, deployment: Deployment) -> Event:
        """The release before serves again, from memory where it is still there. Raises: Moved, Stopping."""
        release, model = _known(deployment.release), deployment.model
        try:
            with self._records.lock:
                current, before = self._store.current, self._store.previous
                back = deployment.previous if deployment.previous is not None or before is None else before.release
                target = None if back is None else self._store.held(back)
            if current is not None and current.release != release:
                return self._arrived(model, current.release)  # it was never switched, or is back already
            if target is None:
                return RollbackFailed("No release before it is on this box; it serves on.")
            self._line.wish(model, candidate=None, keep=(target.release,), shadow=False, canary=False)
            trouble = None if self._is_loaded(model, target) else self._loaded(model, target.release)
            if trouble is not None:
                return RollbackFailed(f"The release before cannot serve: {trouble} Release {release} serves on.")
            self._move_back(target)
        except StoreError as error:
            return RollbackFailed(f"{error} Release {release} serves on.")
        return self._arrived(model, target.release)

    def _arrived(self, model: str, release: int) -> Event:
        """Wait until the line serves what the disk says again. Raises: Moved, Stopping."""
        self._line.nudge()
        self._line.wish(model, candidate=None, keep=(), shadow=False, canary=False)
        followed = self._course.wait_until(lambda: _serves(self._line.of(model), release), _SWAPS_S)
        if not followed and self._line.status() is not None:
            return RollbackFailed(f"The line does not serve release {release} within {_SWAPS_S:g} s; see its health.")
        return RolledBack()

    def _move_back(self, target: Held) -> None:
        with self._records.lock:
            previous = self._store.previous
            if previous is not None and previous.release == target.release:
                self._store.back(after_rename=self._line.nudge)
            else:
                self._store.activate(target.release, after_rename=self._line.nudge)

    def _is_loaded(self, model: str, held: Held) -> bool:
        found = _find(self._line.of(model), held.release)
        return found is not None and found.state == "AVAILABLE"

    def _loaded(self, model: str, release: int) -> str | None:
        """Wait until the line has loaded it; None, or why it has not. Raises: Moved, Stopping."""
        ended: list[str] = []

        def is_decided() -> bool:
            found = _find(self._line.of(model), release)
            if found is None or found.state not in {"AVAILABLE", "END"}:
                return False
            if found.state == "END" or found.error:
                ended.append(found.error or "it was unloaded again.")
            return True

        if not self._course.wait_until(is_decided, _LOADS_S):
            return f"the line did not load it within {_LOADS_S:g} s; see its health."
        return ended[0] if ended else None

    def _is_out(self, status: DeliveredStatus, release: int, since_s: float) -> str | None:
        """Why the candidate does not serve although the pointer on the disk says so; None while it may still come."""
        if status.pointer is not None and status.pointer.release == release:
            return None
        found = _find(status, release)
        if found is not None and found.state == "END" and found.error:
            return f"The line cannot load it: {found.error}"
        if since_s < _SWAPS_S:
            return None
        return f"The line does not serve it within {_SWAPS_S:g} s. {status.problem or ''}".strip()

    def _probation_report(self, deployment: Deployment, status: DeliveredStatus) -> dict[str, Any]:
        tally = status.tallies.get(str(deployment.release)) or ReleaseTally(0, 0, "")
        baseline = self._records.noted(_BASELINE) or {}
        pointer = status.pointer
        return {
            "parts": tally.parts,
            "late": tally.late,
            "undefined": tally.undefined,
            "failed_parts": tally.parts - tally.passed,
            "baseline_parts": baseline.get("parts", 0),
            "baseline_failed_parts": baseline.get("failed_parts", 0),
            "restarts": deployment.restarts,
            "running_digest": None if pointer is None else pointer.digest,
            "swap_ms": status.swap_ms,
        }

    def _note_baseline(self, model: str) -> None:
        """What failed before the change: what the candidate is held against."""
        status = self._line.of(model)
        pointer = None if status is None else status.pointer
        tally = None if status is None or pointer is None else status.tallies.get(str(pointer.release))
        if tally is not None:
            self._records.note(_BASELINE, {"parts": tally.parts, "failed_parts": tally.parts - tally.passed})


def _find(status: DeliveredStatus | None, release: int) -> ReleaseStatus | None:
    loaded = [] if status is None else status.loaded
    return next((one for one in loaded if one.release == release), None)


def _serves(status: DeliveredStatus | None, release: int | None) -> bool:
    return status is not None and status.pointer is not None and status.pointer.release == release


def _counts(canary: Mapping[str, Any]) -> dict[str, Any]:
    return {key: canary[key] for key in ("parts", "new_rejects", "new_passes", "failed", "skipped")}


def _known(value: int | None) -> int:
    if value is None:
        raise RuntimeError("a deployment that is this far has a release, and one that was served before it")
    return value
