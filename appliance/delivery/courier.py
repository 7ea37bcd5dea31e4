"""One model's deployments, one after the other: what is live is driven to its end, and the newest wish is next."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from appliance.delivery.course import Course, Moved, Stopping
from appliance.delivery.examining import Examining
from appliance.delivery.facts import Facts
from appliance.delivery.fetching import Fetching
from appliance.delivery.line import Line
from appliance.delivery.records import Records
from appliance.delivery.switching import Switching
from appliance.delivery.timing import Timing
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.events import (
    AlreadyHere,
    Began,
    Crashed,
    Disappointed,
    Event,
    Failed,
    Held,
    Refused,
    RollbackFailed,
    Staged,
    Superseded,
    Unheld,
)
from appliance.registry.deployments.machine import is_before_switch
from appliance.registry.deployments.starting import Never
from appliance.registry.deployments.states import ON_DISK, State
from appliance.registry.errors import NoSpace, Rejected, StoreError

logger = logging.getLogger(__name__)

_LOOK_S: Final = 1.0
_LINE_SPEAKS_S: Final = 60.0
_LINE: Final = "line"
_SWITCHED: Final = frozenset({State.PROBATION, State.ROLLING_BACK})
"""Whatever goes wrong here, what serves is the candidate: the way out is back."""
_DISAPPOINTING: Final = frozenset({State.FAILED, State.ROLLED_BACK, State.ROLLBACK_FAILED})
_NOT_ITS_FAULT: Final = frozenset({"disk_full", "store", "network", "operator", "site_pictures"})
"""Reasons that say nothing of the content: the same digest may come again."""
_PASSING: Final = frozenset({"expired", "not_yet_valid", "disk_full", "store", "timed_out", "too_slow", "moved"})
"""Reasons of the moment: a clock, a disk, a link. The same release is offered again later."""
_ITS_OWN: Final = frozenset({"forbidden_op", "input_spec"})
"""Reasons of a rejection that lie in the content. The others are of its statement or of the way it came."""


@dataclass(frozen=True, slots=True)
class Acts:
    """What is done in each state."""

    fetching: Fetching
    examining: Examining
    switching: Switching


class Courier:
    """Drives the deployments of one model. run() is a thread of its own; the others may be called by any.

    Before each act the state is on the disk, and every act can be done again: after a kill it goes on from there.
    """

    def __init__(self, model: str, records: Records, course: Course, acts: Acts, line: Line, timing: Timing) -> None:
        self.model = model
        self.records = records
        self.course = course
        self._acts = acts
        self._line = line
        self._timing = timing
        self._next: Deployment | None = None  # guarded by _lock
        self._lock = threading.Lock()
        self._bodies: Mapping[State, Callable[[Deployment], Event]] = {
            State.PENDING: self._start,
            State.DOWNLOADING: acts.fetching.download,
            State.VERIFYING: acts.fetching.verify,
            State.STAGED: lambda _: Staged(),
            State.LOADING: acts.examining.load,
            State.ACCEPTING: acts.examining.accept,
            State.SHADOWING: acts.examining.shadow,
            State.CANARY: acts.switching.canary,
            State.ACTIVATING: acts.switching.activate,
            State.PROBATION: acts.switching.watch,
            State.ROLLING_BACK: acts.switching.roll_back,
        }

    @property
    def live(self) -> Deployment | None:
        """The deployment under way."""
        return self.course.live

    def offer(self, deployment: Deployment, who: str, source: str) -> None:
        """The newest wish: it takes the place of one that waits, and of one under way that may still be stopped."""
        self.records.audit(who, source, "wanted", deployment=deployment.id, reference=deployment.reference)
        with self._lock:
            overtaken, self._next = self._next, deployment
        if overtaken is not None:
            self._put_down(overtaken, f"{deployment.reference}, asked for by {deployment.requested_by}")
        if self.course.live is None:
            self.course.wake()
        else:
            self.course.happen(
                Superseded(f"{deployment.reference}, asked for by {deployment.requested_by}"), who, source
            )

    def waiting(self) -> Deployment | None:
        """The wish that is next."""
        with self._lock:
            return self._next

    def run(self) -> None:
        """Until the course is stopped. Raises what is a defect; the process' boundary sees to it."""
        try:
            self._recover()
            while True:
                self._turn()
        except Stopping:
            pass
        finally:
            self._acts.examining.end()

    def _turn(self) -> None:
        live = self.course.live
        if live is None:
            with self._lock:
                following, self._next = self._next, None
            if following is None:
                self._idle()
            else:
                self.course.begin(following)
        elif live.is_over:
            self._put_away(live)
        elif is_before_switch(live):
            self._wait_before_switch(live)
        else:
            self._act(live)

    def _idle(self) -> None:
        try:
            self.course.wait(_LOOK_S)
        except Moved:
            raise RuntimeError("nothing is live, and something moved") from None

    def _act(self, live: Deployment) -> None:
        if live.state not in {State.LOADING, State.ACCEPTING, State.SHADOWING}:
            self._acts.examining.end()
        if live.state in ON_DISK:
            self._timing.give_turn_back()
        try:
            event = self._bodies[live.state](live)
        except Moved:
            return
        except Rejected as error:
            event = Refused(error.reason.value, str(error))
        except NoSpace as error:
            event = _went_wrong(live, "disk_full", str(error))
        except StoreError as error:
            event = _went_wrong(live, "store", str(error))
        self.course.tell(event)

    def _start(self, deployment: Deployment) -> Event:
        """Wait for its turn, its moment, its window. Raises: Moved, Stopping, StoreError."""
        while True:
            held = self._timing.may_start(deployment)
            if held is None:
                if self._timing.take_turn():
                    return Began()
                self.course.tell(Held("turn", "Another model of this box is downloaded first."))
            elif isinstance(held, Never):
                return _never(held)
            else:
                self.course.tell(Held(held.waiting_for, held.detail))
            self.course.wait(_LOOK_S)

    def _wait_before_switch(self, live: Deployment) -> None:
        """It has proven all it had to; nothing of it is loaded while it waits."""
        self._acts.examining.end()
        hold = self._timing.may_change(live)
        if hold is None:
            if self.course.tell(Unheld()):
                return
        else:
            self.course.tell(Held(hold.waiting_for, hold.detail))
        try:
            self.course.wait(_LOOK_S)
        except Moved:
            return

    # The end -----------------------------------------------------------------------------------------------------

    def _put_away(self, live: Deployment) -> None:
        """Again after a kill. Nothing of it runs; what was learnt of it is kept, what it left is cleared."""
        self._acts.examining.end()
        self._line.wish(self.model, candidate=None, keep=(), shadow=False, canary=False)
        self._learn(live)
        if live.state not in {State.SUCCESS, State.ALREADY_INSTALLED, State.ROLLED_BACK, State.ROLLBACK_FAILED}:
            self._acts.fetching.clear(live)
        self._timing.give_turn_back()
        self.records.archive(live)
        self._collect()
        self.course.put_away()

    def _learn(self, live: Deployment) -> None:
        def change(facts: Facts) -> Facts:
            if live.identity and live.reason not in _PASSING:
                facts = facts.having_handled(live.identity, live.id)
            if live.digest and _is_remembered(live):
                facts = facts.remembering(live.digest, live.reason or live.state.value)
            if live.release is not None and live.state is State.SUCCESS:
                facts = facts.having_proven(live.release)
                facts = replace(facts, failed={k: v for k, v in facts.failed.items() if k != live.digest})
            return facts

        self.records.learn(change)

    def _collect(self) -> None:
        protected = set(self.records.facts.proven[-1:])
        with self.records.lock:
            collected = self.records.store.collect(self._timing.keep, protected)
        if collected.bytes:
            logger.info("%s", collected.sentence())

    def _put_down(self, overtaken: Deployment, by: str) -> None:
        """A wish that never began."""
        ended = overtaken.moved(State.SUPERSEDED, overtaken.since, reason="superseded", detail=f"Overtaken by {by}.")
        with self.records.lock:
            self.records.store.journal.archive(ended.as_json())

    # After a start -----------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Before run() and before anything is offered: what was under way when this process ended is live again."""
        live = self.records.live()
        if live is not None:
            self.course.begin(live)

    def _recover(self) -> None:
        """Go on where the journal stands. In probation it counts whether the line itself was gone, too."""
        live = self.course.live
        try:
            self.course.wait_until(lambda: self._line.status() is not None, _LINE_SPEAKS_S)
        except Moved:
            live = None  # it was superseded meanwhile
        status = self._line.status()
        started = None if status is None else status.started_utc
        before = (self.records.noted(_LINE) or {}).get("started_utc")
        if live is not None and not live.is_over:
            logger.info("Goes on with the deployment of %s where it was: %s.", self.model, live.state.value)
            self.course.tell(Crashed(line=started != before))
        if started is not None and started != before:
            self.records.note(_LINE, {"started_utc": started})


def _is_remembered(live: Deployment) -> bool:
    """Whether the same content would end so again."""
    if live.state is State.REJECTED:
        return live.reason in _ITS_OWN
    return live.state in _DISAPPOINTING and live.reason not in _NOT_ITS_FAULT


def _never(never: Never) -> Event:
    if never.end is State.ALREADY_INSTALLED:
        return AlreadyHere(never.detail)
    if never.end is State.REJECTED:
        return Refused(never.reason, never.detail)
    return Failed(never.reason, never.detail)


def _went_wrong(live: Deployment, reason: str, detail: str) -> Event:
    """The disk refuses: before the switch nothing has changed; after it, the release before serves again."""
    if live.state is State.ROLLING_BACK:
        return RollbackFailed(detail)
    if live.state in _SWITCHED:
        return Disappointed(reason, detail)
    return Failed(reason, detail)
