"""One camera from trigger to result, and the four threads it takes."""

import gc
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

from appliance.errors import ApplianceError
from appliance.inspection.acquisition import Acquisition
from appliance.inspection.canary import Borrowed, Canary
from appliance.inspection.ledger import Ledger, Part
from appliance.inspection.recipe import RecipeConfig
from appliance.inspection.report import Reporter
from appliance.inspection.result import Evaluation, Reason, Result
from appliance.inspection.station import Station
from appliance.inspection.tally import Tally
from appliance.inspection.ticker import Ticker
from camera.frame import Frame
from camera.protocol import Camera

logger = logging.getLogger(__name__)

_QUEUE_PARTS = 8
"""Frames that may wait for the station. More would only be late."""
_CAMERA_OPENS_S = 10.0
"""The timer's first trigger waits so long for the camera's first opening."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What one camera's line needs to know."""

    takt_s: float | None
    """Seconds between two timer triggers; None where the camera triggers itself."""
    parts: int | None
    """Stop triggering after so many parts; None: never."""
    deadline_margin_s: float
    """How long before its deadline a part without a verdict is given up."""
    detect_frozen: bool
    self_test_after_s: float
    """An idle line runs its model once in so many seconds, to know that it could."""


class CameraLine:
    """Trigger, exposure, verdict, result: for one camera.

    The parts: `Ticker` gives triggers, `Acquisition` exposes, `Station` judges, `Ledger` sees to it that every
    trigger has one result. Their threads are started by the owner, from `threads()`.
    """

    def __init__(
        self,
        camera: Camera,
        recipe: RecipeConfig,
        reporter: Reporter,
        settings: LineSettings,
        *,
        borrow: Callable[[], AbstractContextManager[Borrowed]],
        record: Callable[[Result], None],
        accepting: Callable[[], bool],
        changed: Callable[[], None],
        canary: Callable[[], Canary | None] = lambda: None,
        show: Callable[[Frame, Result], None] = lambda _frame, _result: None,
        before: "CameraLine | None" = None,
    ) -> None:
        """`record` keeps a result (never blocks); `accepting`: results can be kept; `changed`: health may differ.

        `canary`: a candidate that has to pass each part too; `show` takes what was judged, after the verdict; quickly.
        `before`: the line that this one takes the place of; numbers and counters go on from it.
        """
        self.tally: Tally = Tally() if before is None else before.tally
        self.reporter = reporter
        self._settings = settings
        self._record = record
        self._accepting = accepting
        self._changed = changed
        self._show = show
        self._waiting: queue.SimpleQueue[tuple[Part, Frame] | None] = queue.SimpleQueue()
        self._go = threading.Event()
        self._stop = threading.Event()
        self.ledger: Ledger = Ledger(
            recipe.deadline_ms / 1e3,
            settings.deadline_margin_s,
            self._released,
            first_id=0 if before is None else before.ledger.next_id,
        )
        self.acquisition = Acquisition(
            camera,
            self.ledger,
            reporter,
            self._hand_over,
            detect_frozen=settings.detect_frozen,
            changed=changed,
        )
        self._station = Station(recipe, reporter, borrow, self.tally.observe, canary)
        self._ticker = None
        if settings.takt_s is not None:
            self._ticker = Ticker(settings.takt_s, settings.parts, self._trigger)
        self._give_up_s = recipe.deadline_ms / 1e3 - settings.deadline_margin_s
        self.beats = 0
        """Goes up with every finished inspection and every passed self-test: what the watchdog is fed from."""
        self.self_test_problem: str | None = None
        """Why the last self-test failed; None where it passed."""
        self._inferred_ns = 0

    def threads(self) -> Mapping[str, Callable[[], None]]:
        """Name of each thread and what it runs; all end after stop()."""
        bodies = {
            "camera": self.acquisition.run,
            "station": self._judge,
            "deadline": self._watch_deadlines,
        }
        if self._ticker is not None:
            bodies["trigger"] = partial(self._give_triggers, self._ticker)
        return bodies

    def go(self) -> None:
        """The timer may trigger from now on. A camera that triggers itself waits for nobody."""
        self._go.set()

    @property
    def finished(self) -> bool:
        """No more parts will come, and every one that came has its result."""
        ticker_done = self._ticker is not None and self._ticker.finished.is_set()
        return (ticker_done or self.acquisition.state.finished) and self.ledger.open_parts() == 0

    def stop(self) -> None:
        """No more triggers; parts under way still get their result, by their deadline at the latest."""
        self._stop.set()
        self._go.set()
        limit_ns = time.monotonic_ns() + round((self._give_up_s + 1.0) * 1e9)
        settled = threading.Event()
        while self.ledger.open_parts() and time.monotonic_ns() < limit_ns:
            settled.wait(0.005)
        self.acquisition.stop()
        self._waiting.put(None)

    def _give_triggers(self, ticker: Ticker) -> None:
        """The trigger's thread."""
        self._go.wait()
        self.acquisition.tried.wait(_CAMERA_OPENS_S)
        ticker.run(self._stop)

    def _trigger(self, now_ns: int) -> None:
        if not self.acquisition.state.finished:
            self.acquisition.take(self.ledger.open(now_ns))

    def _hand_over(self, part: Part, frame: Frame) -> bool:
        if self._waiting.qsize() >= _QUEUE_PARTS:
            return False
        self._waiting.put((part, frame))
        return True

    def _judge(self) -> None:
        """The station's thread."""
        idle_s = self._settings.self_test_after_s
        while True:
            try:
                waiting = self._waiting.get(timeout=idle_s)
            except queue.Empty:
                waiting = ()  # type: ignore[assignment]
            if waiting is None:
                return
            if waiting:
                part, frame = waiting
                self._inspect(part, frame)
                del part, frame, waiting
            if time.monotonic_ns() - self._inferred_ns > idle_s * 1e9:
                self._self_test()
            if self._waiting.empty():
                gc.collect(1)  # between two parts, never during one: the collector is off otherwise

    def _inspect(self, part: Part, frame: Frame) -> None:
        result = self._if_kept(self._station.inspect(part, frame))
        self.ledger.settle(part, result)
        if result.evaluation is not Evaluation.UNDEFINED:
            self._inferred_ns = time.monotonic_ns()
            self.beats += 1
        self._show(frame, result)

    def _if_kept(self, result: Result) -> Result:
        """The result, where it can be kept."""
        if self._accepting():
            return result
        why = "Results cannot be kept at present; a part without a record fails."
        return replace(
            result, evaluation=Evaluation.UNDEFINED, reason=Reason.NOT_RECORDED, detail=why, classes=(), model=None
        )

    def _self_test(self) -> None:
        """Also where no model serves the line is alive: restarting it would not bring one."""
        try:
            self._station.self_test()
            problem = None
        except ApplianceError as error:
            problem = str(error)
        self._inferred_ns = time.monotonic_ns()
        if problem is None:
            self.beats += 1
        else:
            logger.error("The self-test inference of camera %s failed: %s", self.reporter.camera, problem)
        if problem != self.self_test_problem:
            self.self_test_problem = problem
            self._changed()

    def _watch_deadlines(self) -> None:
        """The deadline's thread: a part that nobody settled in time fails, whatever hangs."""
        while not (self._stop.is_set() and self.ledger.open_parts() == 0):
            expiry_ns = self.ledger.next_expiry_ns()
            now_ns = time.monotonic_ns()
            # A part triggered from now on cannot expire before a whole deadline has passed.
            wait_s = self._give_up_s if expiry_ns is None else (expiry_ns - now_ns) / 1e9
            if wait_s > 0:
                # Once stopping, look often enough to end soon.
                self._stop.wait(wait_s) if not self._stop.is_set() else time.sleep(min(wait_s, 0.005))
                continue
            for part in self.ledger.expired(now_ns):
                self.ledger.settle(part, self._given_up(part))

    def _given_up(self, part: Part) -> Result:
        """What serves may have judged it, and only the second opinion is late."""
        if part.in_hand is not None:
            return self._if_kept(part.in_hand)
        return self.reporter.undefined(part, Reason.DEADLINE_EXPIRED, "No verdict when the part had to be decided.")

    def _released(self, result: Result) -> None:
        self.tally.count(result)
        self._record(result)
