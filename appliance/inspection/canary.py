"""A second opinion: the candidate judges what the serving model has judged, and may only be stricter."""

import logging
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final, Protocol

from appliance.inspection.decide import Decision, is_stricter
from appliance.inspection.plan import Classifier, Plan
from appliance.inspection.recipe import RecipeConfig
from appliance.inspection.result import Evaluation, ModelUsed, Reason
from appliance.serving import NotServing, ServableId
from appliance.status import CanaryStatus
from camera.frame import Frame

logger = logging.getLogger(__name__)

_CALLS: Final = 15
"""The median of so many calls says how long the next one takes."""
_MARGIN: Final = 1.25
_MARGIN_S: Final = 0.003
"""For what a blank picture does not show (bringing a real one to size), and for telling the verdict."""
_SKIPPED_MAX: Final = 64
"""After so many parts without a second opinion it is measured again: the box may have been busy."""


class Borrowed(Protocol):
    """A model version that cannot be unloaded while it is held."""

    @property
    def id(self) -> ServableId:
        """Name and version."""

    @property
    def servable(self) -> Classifier:
        """The loaded model."""


class Canary:
    """One candidate on trial, for all cameras of its model.

    Threads: measure() on one that no part waits for; everything else on any.
    """

    def __init__(self, status: CanaryStatus, borrow: Callable[[], AbstractContextManager[Borrowed]]) -> None:
        """`status`: the counts to begin with. `borrow` gives the candidate; raises NotServing while it is not there."""
        self.borrow = borrow
        self.measured_s: float | None = None
        """One call on blank pictures; None: to be measured."""
        self._lock = threading.Lock()
        self._status = status  # guarded by _lock

    @property
    def version(self) -> int:
        """The candidate's."""
        return self._status.version

    def status(self) -> CanaryStatus:
        """A copy of the counts."""
        with self._lock:
            return replace(self._status)

    def measure(self, recipes: Sequence[RecipeConfig]) -> None:
        """Call the candidate on blank pictures, for each recipe: the slowest counts. Some calls' time.

        Nothing where it is not loaded yet, cannot be called, or was measured: then parts are not shown to it.
        """
        if self.measured_s is not None:
            return
        try:
            with self.borrow() as borrowed:
                measured = [_median_s(Plan(recipe, borrowed.servable), borrowed.servable) for recipe in recipes]
        except NotServing:
            return
        except Exception as error:  # noqa: BLE001 - the boundary of a candidate: the line goes on without it
            self.failed(repr(error))
            return
        self.measured_s = max(measured, default=None)

    def skipped(self) -> None:
        """No time for a second opinion."""
        with self._lock:
            self._status.skipped += 1

    def failed(self, error: object) -> None:
        """The candidate could not judge a part that the serving model has judged."""
        with self._lock:
            self._status.failed += 1
            is_first = self._status.failed == 1
        if is_first:  # the counts say how many more
            logger.warning("Candidate %d could not judge a part: %s", self.version, error)

    def judged(self, serving: Evaluation, candidate: Evaluation) -> None:
        """Both have judged a part."""
        with self._lock:
            self._status.parts += 1
            self._status.new_rejects += serving is Evaluation.OK and candidate is not Evaluation.OK
            self._status.new_passes += serving is not Evaluation.OK and candidate is Evaluation.OK


class SecondOpinion:
    """One station's way to ask the candidate. Its thread's alone."""

    def __init__(self, recipe: RecipeConfig) -> None:
        self._recipe = recipe
        self._canary: Canary | None = None
        self._plan: Plan | None = None
        self._took_s: deque[float] = deque(maxlen=_CALLS)
        self._skipped = 0

    def ask(self, canary: Canary, give_up_ns: int, frame: Frame, serving: Decision, model: ModelUsed) -> Decision:
        """The stricter of the two; the serving model's where the candidate has no time, fails, or is not there.

        `give_up_ns`: CLOCK_MONOTONIC at which the part is decided without it.

        Never raises: a candidate takes nothing away from a part.
        """
        if canary is not self._canary:
            self._canary, self._plan, self._skipped = canary, None, 0
            self._took_s.clear()
        if not self._has_time(canary, give_up_ns):
            self._skip(canary)
            return serving
        begun_s = time.monotonic()
        try:
            with canary.borrow() as borrowed:
                if self._plan is None:
                    self._plan = Plan(self._recipe, borrowed.servable)
                plan = self._plan
                decision = plan.judge(plan.infer(borrowed.servable, plan.preprocessor.apply(frame)))
        except NotServing:
            return serving
        except Exception as error:  # noqa: BLE001 - the boundary of a candidate: what serves has judged this part
            canary.failed(repr(error))
            return serving
        self._took_s.append(time.monotonic() - begun_s)
        return self._weighed(canary, give_up_ns, serving, decision, model)

    def _weighed(
        self, canary: Canary, give_up_ns: int, serving: Decision, candidate: Decision, model: ModelUsed
    ) -> Decision:
        if time.monotonic_ns() >= give_up_ns:  # it took longer than ever: the part has been decided without it
            self._skip(canary)
            return serving
        if candidate.evaluation is Evaluation.UNDEFINED:
            canary.failed(candidate.detail)
            return serving
        self._skipped = 0
        canary.judged(serving.evaluation, candidate.evaluation)
        if not is_stricter(candidate.evaluation, serving.evaluation):
            return serving
        first = candidate.classes[0]
        detail = (
            f"{model.name} {model.version}, which serves, says {serving.evaluation.value}; the candidate, "
            f"{model.name} {canary.version}, says {candidate.evaluation.value} ({first.label} {first.score:.3f})."
        )
        return Decision(candidate.evaluation, Reason.CANARY_REJECTED, serving.classes, detail)

    def _has_time(self, canary: Canary, give_up_ns: int) -> bool:
        needed_s = statistics.median(self._took_s) if self._took_s else canary.measured_s
        if needed_s is None:
            return False
        left_s = (give_up_ns - time.monotonic_ns()) / 1e9
        return needed_s * _MARGIN + _MARGIN_S < left_s

    def _skip(self, canary: Canary) -> None:
        canary.skipped()
        self._skipped += 1
        if self._skipped % _SKIPPED_MAX == 0:
            self._took_s.clear()
            canary.measured_s = None


def _median_s(plan: Plan, model: Classifier) -> float:
    took_s = []
    for _ in range(6):
        begun_s = time.monotonic()
        plan.judge(plan.infer(model, plan.blank()))
        took_s.append(time.monotonic() - begun_s)
    return statistics.median(took_s[1:])
