"""The candidate looks on while the line works: every part that it is shown, it judges, too."""

import logging
import time
from collections.abc import Callable
from typing import Final

from appliance.errors import ApplianceError
from appliance.examiner.candidate import Candidate
from appliance.examiner.comparison import Comparison, Judged
from appliance.examiner.talk import Talk
from appliance.inspection import Plan
from appliance.shadowing.taker import Observed, Taker

logger = logging.getLogger(__name__)

_WAIT_S: Final = 0.1
_REPORT_S: Final = 0.5


class Onlooker:
    """Counts from zero each time it is switched on. One thread."""

    def __init__(self, candidate: Candidate, taker: Callable[[], Taker], talk: Talk, *, on_one_thread: bool) -> None:
        """`taker` is made when it is first needed. `on_one_thread`: the model runs on its caller's thread alone."""
        self._candidate = candidate
        self._make = taker
        self._taker: Taker | None = None
        self._talk = talk
        self._clock_ns = time.thread_time_ns if on_one_thread else time.perf_counter_ns
        self._comparison = Comparison()
        self._begun_s = self._reported_s = time.monotonic()

    def switch_on(self) -> None:
        """From zero."""
        if self._taker is None:
            self._taker = self._make()
        self._comparison = Comparison()
        self._begun_s = self._reported_s = time.monotonic()

    def step(self) -> None:
        """One part, or 0.1 s; a report where one is due. Raises: FeedEnded."""
        if self._taker is None:
            raise RuntimeError("step() before switch_on()")
        observed = self._taker.next(_WAIT_S)
        if observed is not None:
            try:
                self._look(observed)
            finally:
                self._taker.done(observed)
        if time.monotonic() - self._reported_s >= _REPORT_S:
            self.report()

    def report(self) -> None:
        """Say what is known by now."""
        self._reported_s = time.monotonic()
        found = self._comparison.report(self._reported_s - self._begun_s)
        self._talk.mention("shadow", {"report": found.as_json()})

    def _look(self, observed: Observed) -> None:
        if observed.model != self._candidate.name:
            return
        self._comparison.see(observed.camera, observed.trigger_id)
        plan = self._candidate.plans.get(observed.recipe)
        if plan is None:  # the operator's file has changed since
            self._comparison.skip()
            return
        scores = {label: score for label, score, _ in observed.classes}
        try:
            judged = self._judge(plan, observed)
        except ApplianceError as error:
            logger.warning("The candidate could not judge part %d: %s", observed.trigger_id, error)
            self._comparison.fail()
        else:
            self._comparison.compare(Judged(observed.evaluation, scores, observed.inference_ms), judged)

    def _judge(self, plan: Plan, observed: Observed) -> Judged:
        batch = plan.preprocessor.apply(observed.frame)
        begun_ns = self._clock_ns()
        scores = plan.infer(self._candidate.model, batch)
        call_ms = (self._clock_ns() - begun_ns) / 1e6
        decision = plan.judge(scores)
        return Judged(decision.evaluation.value, {one.label: one.score for one in decision.classes}, call_ms)
