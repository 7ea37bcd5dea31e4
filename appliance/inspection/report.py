"""Writes results: what is the same for every part of a camera is said once, here."""

import time
from dataclasses import dataclass

from appliance.inspection.decide import Decision
from appliance.inspection.ledger import Part
from appliance.inspection.result import Evaluation, ModelUsed, Reason, Result, Times
from camera.frame import Frame


@dataclass(slots=True)
class Reporter:
    """Makes the results of one camera. Any thread; `clock_synchronized` and `simulated` may change while it runs."""

    station: str
    camera: str
    simulated: bool = False
    """The camera is a simulated one: known before its first frame."""
    clock_synchronized: bool | None = None

    def judged(self, part: Part, frame: Frame, decision: Decision, model: ModelUsed, inference_ms: float) -> Result:
        """The result of a part that a model has seen."""
        return self._result(
            part, decision.evaluation, decision.reason, decision.detail, frame, decision, model, inference_ms
        )

    def undefined(self, part: Part, reason: Reason, detail: str, frame: Frame | None = None) -> Result:
        """The result of a part that could not be judged. It fails."""
        return self._result(part, Evaluation.UNDEFINED, reason, detail, frame, None, None, None)

    def _result(
        self,
        part: Part,
        evaluation: Evaluation,
        reason: Reason | None,
        detail: str,
        frame: Frame | None,
        decision: Decision | None,
        model: ModelUsed | None,
        inference_ms: float | None,
    ) -> Result:
        now_ns = time.monotonic_ns()
        times = Times(
            acquisition_ms=_span_ms(part.triggered_ns, part.handed_over_ns),
            queue_ms=None if part.handed_over_ns is None else _span_ms(part.handed_over_ns, part.begun_ns),
            inference_ms=inference_ms,
            total_ms=(now_ns - part.triggered_ns) / 1e6,
            # A device's clock may be a little ahead of what was made of it: no picture is younger than new.
            frame_age_ms=None if frame is None else max(0.0, (now_ns - frame.exposed_ns) / 1e6),
        )
        in_force = part.in_force
        return Result(
            station=self.station,
            camera=self.camera,
            trigger_id=part.trigger_id,
            recipe_id=in_force.recipe_id,
            config_id=in_force.config_id,
            evaluation=evaluation,
            reason=reason,
            detail=detail,
            classes=() if decision is None else decision.classes,
            model=model,
            exposed_utc_ns=part.triggered_utc_ns if frame is None else frame.exposed_utc_ns,
            times=times,
            deadline_ms=in_force.deadline_ms,
            clock_synchronized=self.clock_synchronized,
            is_simulated=self.simulated if frame is None else frame.is_simulated,
            verdict_ns=now_ns,
            part_id=part.part_id,
            job_id=in_force.job_id,
            regions=() if decision is None else decision.regions,
        )


def _span_ms(from_ns: int, to_ns: int | None) -> float | None:
    return None if to_ns is None else max(0.0, (to_ns - from_ns) / 1e6)
