"""The product in one page: a frame comes in, a verdict goes out, in time, whatever happens."""

import logging
import time
from collections.abc import Callable

from appliance.errors import ApplianceError
from appliance.inspection.canary import Borrowed, SecondOpinion
from appliance.inspection.errors import FrameUnfit, RecipeError
from appliance.inspection.in_force import InForce
from appliance.inspection.ledger import Part
from appliance.inspection.plan import Plan
from appliance.inspection.quality import QualityGate
from appliance.inspection.report import Reporter
from appliance.inspection.result import ModelUsed, Reason, Result
from appliance.serving import NotServing, ServableId
from camera.frame import Frame, FrameStatus

logger = logging.getLogger(__name__)

_FRAME_REASONS = {
    FrameStatus.INCOMPLETE: Reason.FRAME_INCOMPLETE,
    FrameStatus.CORRUPT: Reason.FRAME_CORRUPT,
    FrameStatus.STALE: Reason.FRAME_STALE,
}


class Station:
    """Judges one camera's parts, one after the other.

    Threads: inspect() and self_test() belong to the station's thread. Nothing here touches network or disk.
    """

    def __init__(
        self, in_force: Callable[[], InForce], reporter: Reporter, observe: Callable[[str, float], None]
    ) -> None:
        """`in_force`: the recipe that the next trigger is for; `observe` takes (stage, milliseconds)."""
        self._now_in_force = in_force
        self._reporter = reporter
        self._observe = observe
        self._bench: _Bench | None = None

    def inspect(self, part: Part, frame: Frame) -> Result:
        """The part's result; never raises, because a part without a result would be a part that passed by silence."""
        part.begun_ns = time.monotonic_ns()
        undefined = self._reporter.undefined
        if frame.status is not FrameStatus.OK:
            return undefined(part, _FRAME_REASONS[frame.status], frame.detail, frame)
        try:
            return self._judge(part, frame)
        except NotServing as error:
            return undefined(part, Reason.NO_MODEL, f"{error}; wait for it to load or look at its folder.", frame)
        except FrameUnfit as error:
            return undefined(part, Reason.FRAME_UNFIT, str(error), frame)
        except RecipeError as error:
            return undefined(part, Reason.MODEL_UNFIT, str(error), frame)
        except ApplianceError as error:
            return undefined(part, Reason.MODEL_FAILED, str(error), frame)
        except Exception as error:  # the boundary of one part: the next one must still be judged
            logger.exception(
                "A part could not be judged: a defect of the program.",
                extra={"CAMERA": self._reporter.camera, "TRIGGER_ID": part.trigger_id},
            )
            return undefined(part, Reason.MODEL_FAILED, f"The inspection itself failed: {error!r}.", frame)

    def self_test(self) -> bool:
        """Run the serving model once on a blank picture. False where no model serves, or none that fits.

        Raises what the model raises: a model that cannot run is not a healthy idle line.
        """
        in_force = self._now_in_force()
        try:
            with in_force.borrow() as borrowed:
                plan = self._bench_for(in_force).plan_for(borrowed)
                plan.infer(borrowed.servable, plan.blank())
        except (NotServing, RecipeError):
            return False
        return True

    def _judge(self, part: Part, frame: Frame) -> Result:
        bench = self._bench_for(part.in_force)
        unfit = bench.gate.check(frame, time.monotonic_ns())
        if unfit is not None:
            return self._reporter.undefined(part, unfit.reason, unfit.detail, frame)
        with part.in_force.borrow() as borrowed:
            plan = bench.plan_for(borrowed)
            begun_ns = time.perf_counter_ns()
            batch = plan.preprocessor.apply(frame)
            called_ns = time.perf_counter_ns()
            scores = plan.infer(borrowed.servable, batch)
            inference_ms = (time.perf_counter_ns() - called_ns) / 1e6
            model = ModelUsed(borrowed.id.name, borrowed.id.version, borrowed.servable.digest)
        decision = plan.judge(scores)
        canary = part.in_force.canary()
        if canary is not None:
            part.in_hand = self._reporter.judged(part, frame, decision, model, inference_ms)
            decision = bench.second.ask(canary, part.give_up_ns, frame, decision, model)
        result = self._reporter.judged(part, frame, decision, model, inference_ms)
        self._observe("preprocess", (called_ns - begun_ns) / 1e6)
        return result

    def _bench_for(self, in_force: InForce) -> "_Bench":
        """What belongs to the part's recipe; made anew, cheaply, at a changeover. Raises: RecipeError."""
        if self._bench is None or self._bench.in_force is not in_force:
            self._bench = _Bench(in_force)
        return self._bench


class _Bench:
    """What a station keeps for one recipe."""

    def __init__(self, in_force: InForce) -> None:
        """Raises: RecipeError."""
        self.in_force = in_force
        self.gate = QualityGate(in_force.recipe.quality)
        self.second = SecondOpinion(in_force.recipe)
        self._plan: Plan | None = None
        self._planned: tuple[ServableId, str] | None = None

    def plan_for(self, borrowed: Borrowed) -> Plan:
        """The plan of the version that serves now; made anew, in about 0.1 ms, when the version changes."""
        key = (borrowed.id, borrowed.servable.digest)
        if self._plan is None or self._planned != key:
            self._plan = Plan(self.in_force.recipe, borrowed.servable)
            self._planned = key
        return self._plan
