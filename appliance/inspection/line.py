"""One camera from trigger to result, and the three threads it takes."""

import gc
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from appliance.errors import ApplianceError
from appliance.inspection.acquisition import Acquisition, AcquisitionSettings
from appliance.inspection.in_force import InForce
from appliance.inspection.ledger import Ledger, Part
from appliance.inspection.report import Reporter
from appliance.inspection.result import Evaluation, Reason, Result
from appliance.inspection.station import Station
from appliance.inspection.tally import Tally
from camera.frame import Frame
from camera.protocol import Camera

logger = logging.getLogger(__name__)

_QUEUE_PARTS = 8
"""Frames that may wait for the station. More would only be late."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What one camera's line needs to know."""

    acquisition: AcquisitionSettings
    self_test_after_s: float
    """An idle line runs its model once in so many seconds, to know that it could."""


class CameraLine:
    """Trigger, exposure, verdict, result: for one camera.

    The parts: `Acquisition` exposes, `Station` judges, `Ledger` sees to it that every trigger has one result. Their
    threads are started by the owner, from `threads()`.
    """

    def __init__(
        self,
        camera: Camera,
        in_force: InForce,
        reporter: Reporter,
        settings: LineSettings,
        *,
        record: Callable[[Result], None],
        accepting: Callable[[], bool],
        changed: Callable[[], None],
        show: Callable[[Frame, Result], None] = lambda _frame, _result: None,
        before: "CameraLine | None" = None,
    ) -> None:
        """`record` keeps a result (never blocks); `accepting`: results can be kept; `changed`: health may differ.

        `show` takes what was judged, after the verdict; quickly.
        `before`: the line that this one takes the place of; numbers and counters go on from it.
        """
        self.tally: Tally = Tally() if before is None else before.tally
        self.reporter = reporter
        self.in_force = in_force
        """The recipe of the next part. Replaced whole, by change_over()."""
        self._settings = settings
        self._record = record
        self._accepting = accepting
        self._changed = changed
        self._show = show
        self._waiting: queue.SimpleQueue[tuple[Part, Frame] | None] = queue.SimpleQueue()
        self._is_free = threading.Event()
        self._stop = threading.Event()
        self.ledger: Ledger = Ledger(self._released, first_id=0 if before is None else before.ledger.next_id)
        self.acquisition = Acquisition(
            camera,
            self.ledger,
            reporter,
            lambda: self.in_force,
            self._hand_over,
            self._is_free.wait,
            settings.acquisition,
            changed=changed,
        )
        self._station = Station(lambda: self.in_force, reporter, self.tally.observe)
        self.beats = 0
        """Goes up with every finished inspection and every passed self-test: what the watchdog is fed from."""
        self.self_test_problem: str | None = None
        """Why the last self-test failed; None where it passed."""
        self._inferred_ns = 0

    def threads(self) -> Mapping[str, Callable[[], None]]:
        """Name of each thread and what it runs; all end after stop()."""
        return {"camera": self.acquisition.run, "station": self._judge, "deadline": self._watch_deadlines}

    def trigger(
        self,
        triggered_ns: int,
        *,
        part_id: str | None = None,
        deadline_ns: int | None = None,
        in_force: InForce | None = None,
        due_ns: int | None = None,
        lost: tuple[Reason, str] | None = None,
        on_result: Callable[[Result | None], None] | None = None,
    ) -> int | None:
        """A part is there: returns its trigger_id, at once; None where the camera's stored pictures have ended.

        `in_force`: the recipe, where it is not the one that is in force now (a later exposure of the same part).
        `due_ns`: when it is in front of the camera, where the trigger was given ahead of that. `lost`: why it cannot be
        photographed, where that is known: its result is Undefined at once.
        `on_result` gets its result, on the thread that knows it, and must be quick; None: there was no part after all.
        """
        if self.acquisition.state.finished:
            return None
        part = self.ledger.open(
            triggered_ns,
            in_force or self.in_force,
            part_id=part_id,
            deadline_ns=deadline_ns,
            due_ns=due_ns,
            on_result=on_result,
        )
        if lost is None:
            self.acquisition.take(part)
        else:
            self.ledger.settle(part, self.reporter.undefined(part, *lost))
        return part.trigger_id

    def change_over(self, in_force: InForce) -> None:
        """From the next trigger on, this is the recipe. Parts under way keep theirs."""
        self.in_force = in_force

    @property
    def is_idle(self) -> bool:
        """Every part that came has its result."""
        return self.ledger.open_parts() == 0

    def stop(self) -> None:
        """No more triggers; parts under way still get their result, by their deadline at the latest."""
        self._stop.set()
        limit_ns = time.monotonic_ns() + round(self.in_force.deadline_ms * 1e6) + 1_000_000_000
        settled = threading.Event()
        while self.ledger.open_parts() and time.monotonic_ns() < limit_ns:
            settled.wait(0.005)
        self.ledger.wake()
        self.acquisition.stop()
        self._waiting.put(None)
        self._is_free.set()

    def _hand_over(self, part: Part, frame: Frame) -> bool:
        if self._waiting.qsize() >= _QUEUE_PARTS:
            return False
        self._is_free.clear()
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
                self._is_free.set()
                gc.collect(1)  # between two parts, never during one: the collector is off otherwise

    def _inspect(self, part: Part, frame: Frame) -> None:
        result = self._in_time(part, self._if_kept(self._station.inspect(part, frame)))
        self.ledger.settle(part, result)
        if result.evaluation is not Evaluation.UNDEFINED:
            self._inferred_ns = time.monotonic_ns()
            self.beats += 1
        self._show(frame, result)

    def _in_time(self, part: Part, result: Result) -> Result:
        """A part whose time is over does not pass, also where the deadline's thread has not said so yet."""
        if result.evaluation is Evaluation.OK and time.monotonic_ns() > part.deadline_ns:
            return self._given_up(part)
        return result

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
            in_force = self.in_force
            self.ledger.wait_expiry((in_force.deadline_ms - in_force.margin_ms) / 1e3)
            for part in self.ledger.expired(time.monotonic_ns()):
                self.ledger.settle(part, self._given_up(part))

    def _given_up(self, part: Part) -> Result:
        """What serves may have judged it, and only the second opinion is late."""
        if part.in_hand is not None:
            return self._if_kept(part.in_hand)
        return self.reporter.undefined(part, Reason.DEADLINE_EXPIRED, "No verdict when the part had to be decided.")

    def _released(self, result: Result) -> None:
        self.tally.count(result)
        self._record(result)
