"""The product in one page: a frame comes in, a verdict goes out, in time, whatever happens."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from appliance.errors import ApplianceError
from appliance.inspection.canary import Borrowed, Canary, SecondOpinion
from appliance.inspection.errors import FrameUnfit, RecipeError
from appliance.inspection.ledger import Part
from appliance.inspection.plan import Plan
from appliance.inspection.recipe import RecipeConfig
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
        self,
        recipe: RecipeConfig,
        reporter: Reporter,
        borrow: Callable[[], AbstractContextManager[Borrowed]],
        observe: Callable[[str, float], None],
        canary: Callable[[], Canary | None],
    ) -> None:
        """`borrow` gives the version that serves now; `observe` takes (stage, milliseconds) for the metrics.

        `canary`: the candidate that has to pass a part too; None: there is none.
        """
        self._recipe = recipe
        self._reporter = reporter
        self._borrow = borrow
        self._observe = observe
        self._canary = canary
        self._second = SecondOpinion(recipe)
        self._plan: Plan | None = None
        self._planned: tuple[ServableId, str] | None = None

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
        try:
            with self._borrow() as borrowed:
                plan = self._plan_for(borrowed)
                plan.infer(borrowed.servable, plan.blank())
        except (NotServing, RecipeError):
            return False
        return True

    def _judge(self, part: Part, frame: Frame) -> Result:
        with self._borrow() as borrowed:
            plan = self._plan_for(borrowed)
            begun_ns = time.perf_counter_ns()
            batch = plan.preprocessor.apply(frame)
            called_ns = time.perf_counter_ns()
            scores = plan.infer(borrowed.servable, batch)
            inference_ms = (time.perf_counter_ns() - called_ns) / 1e6
            model = ModelUsed(borrowed.id.name, borrowed.id.version, borrowed.servable.digest)
        decision = plan.judge(scores)
        canary = self._canary()
        if canary is not None:
            part.in_hand = self._reporter.judged(part, frame, decision, model, inference_ms)
            decision = self._second.ask(canary, part, frame, decision, model)
        result = self._reporter.judged(part, frame, decision, model, inference_ms)
        self._observe("preprocess", (called_ns - begun_ns) / 1e6)
        return result

    def _plan_for(self, borrowed: Borrowed) -> Plan:
        """The plan of the version that serves now; made anew, in about 0.1 ms, when the version changes."""
        key = (borrowed.id, borrowed.servable.digest)
        if self._plan is None or self._planned != key:
            self._plan = Plan(self._recipe, borrowed.servable)
            self._planned = key
        return self._plan
