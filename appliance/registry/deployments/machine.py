"""Which state follows: a deployment, an event, what the box asks for, and nothing else.

The journal is written before the act: entering `loading` means "about to load", and a crash there repeats the load.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from appliance.registry.deployments import events
from appliance.registry.deployments.deployment import MOVES_MAX, Deployment
from appliance.registry.deployments.events import Event, Hold, Report
from appliance.registry.deployments.states import BEFORE_SWITCH, State
from appliance.registry.deployments.strategy import Strategy

LOADS_MAX: Final = 3
"""A candidate whose loading or acceptance was cut short so often fails: it may be what stops the box."""
APPROVAL: Final = "approval"
REPORTS: Final[Mapping[State, str]] = {
    State.ACCEPTING: "acceptance",
    State.SHADOWING: "shadow",
    State.CANARY: "canary",
    State.PROBATION: "probation",
}
"""Under which name a state's report is kept."""

_WORK: Final[Mapping[type[Event], tuple[State, State]]] = {
    events.Began: (State.PENDING, State.DOWNLOADING),
    events.Downloaded: (State.DOWNLOADING, State.VERIFYING),
    events.Verified: (State.VERIFYING, State.STAGED),
    events.Staged: (State.STAGED, State.LOADING),
    events.Loaded: (State.LOADING, State.ACCEPTING),
    events.RolledBack: (State.ROLLING_BACK, State.ROLLED_BACK),
}
"""Work that carries no more than that it is done: from, to."""
_PROVES: Final[Mapping[type[Event], State]] = {
    events.Accepted: State.ACCEPTING,
    events.ShadowPassed: State.SHADOWING,
    events.CanaryPassed: State.CANARY,
}


def after(deployment: Deployment, event: Event, strategy: Strategy, at: str) -> Deployment:
    """What the deployment is once `event` happened at `at` (RFC 3339, UTC).

    The very same object where the event changes nothing (too late, or over): then there is nothing to write.
    Raises: RuntimeError where the event cannot happen in this state: its driver has a bug.
    """
    if deployment.is_over:
        return deployment
    return _guarded(deployment, _follows(deployment, event, strategy, at), at)


def is_before_switch(deployment: Deployment) -> bool:
    """It proved all it has to, and waits: for an approval, a window, the end of a pause."""
    report = deployment.reports.get(REPORTS.get(deployment.state, ""), {})
    return deployment.state in BEFORE_SWITCH and report.get("passed") is True


def _guarded(before: Deployment, follows: Deployment, at: str) -> Deployment:
    """The loop guard. A rollback is never stopped by it: it has to come to its end."""
    if follows.moves < MOVES_MAX or follows.is_over or State.ROLLING_BACK in {before.state, follows.state}:
        return follows
    detail = f"it moved {MOVES_MAX} times without coming to an end; see its audit log for where it turns in circles"
    end = State.FAILED if before.state in BEFORE_SWITCH else State.ROLLING_BACK
    return before.moved(end, at, reason="loop", detail=detail)


def _follows(deployment: Deployment, event: Event, strategy: Strategy, at: str) -> Deployment:
    match event:
        case events.Crashed():
            return _after_crash(deployment, event, strategy, at)
        case events.Superseded() | events.Canceled() | events.Approved() | events.Unheld():
            return _as_asked(deployment, event, strategy, at)
        case events.Refused() | events.Failed() | events.Disappointed() | events.TimedOut():
            return _after_outcome(deployment, event, at)
        case _:
            return _after_work(deployment, event, strategy, at)


def _after_work(deployment: Deployment, event: Event, strategy: Strategy, at: str) -> Deployment:
    state = deployment.state
    match event:
        case events.Accepted() | events.ShadowPassed() | events.CanaryPassed() if state is _PROVES[type(event)]:
            proven = _reported(deployment, event.report, passed=True)
            return _onward(proven, event.hold, strategy, at)
        case events.Activated() if state is State.ACTIVATING:
            return deployment.moved(State.PROBATION, at, previous=event.previous)
        case events.Committed() if state is State.PROBATION:
            return _commit(deployment, event.report, at)
        case events.RollbackFailed() if state is State.ROLLING_BACK:
            detail = f"{deployment.detail}; and the release before cannot serve: {event.detail}"
            return deployment.moved(State.ROLLBACK_FAILED, at, reason=deployment.reason, detail=detail)
        case events.AlreadyHere() if state in {State.PENDING, State.DOWNLOADING}:
            return deployment.moved(State.ALREADY_INSTALLED, at, reason="already_installed", detail=event.detail)
    if type(event) in _WORK:
        return _done(deployment, event, at)
    return _noted(deployment, event)


def _done(deployment: Deployment, event: Event, at: str) -> Deployment:
    """Work that carries no more than that it is done."""
    begins, follows = _WORK[type(event)]
    if deployment.state is not begins:
        raise _bug(deployment, event)
    if follows is State.VERIFYING and deployment.digest is None:
        raise RuntimeError("a download cannot be complete before its statement is verified")
    if follows is State.LOADING:
        return deployment.moved(follows, at, attempts=deployment.attempts + 1)
    if follows is State.ROLLED_BACK:  # the reason is why it rolled back
        return deployment.moved(follows, at, reason=deployment.reason, detail=deployment.detail)
    return deployment.moved(follows, at)


def _noted(deployment: Deployment, event: Event) -> Deployment:
    """What is only written down: no move."""
    match event:
        case events.StatementVerified() if deployment.state is State.DOWNLOADING:
            return replace(
                deployment,
                version=event.version,
                release=event.release,
                digest=event.digest,
                bytes_total=event.bytes_total,
            )
        case events.Fetched() if deployment.state is State.DOWNLOADING:
            return replace(deployment, bytes_done=event.bytes_done, bytes_fetched=event.bytes_fetched)
        case events.Counted() if deployment.state in {State.SHADOWING, State.CANARY, State.PROBATION}:
            return deployment if is_before_switch(deployment) else _reported(deployment, event.report)
        case events.Held() if deployment.state in BEFORE_SWITCH:
            if deployment.waiting_for == APPROVAL:
                return deployment  # a person has to hear of this first; `Approved` says what holds it then
            return _waiting(deployment, event.waiting_for, event.detail)
    raise _bug(deployment, event)


def _as_asked(
    deployment: Deployment,
    event: events.Superseded | events.Canceled | events.Approved | events.Unheld,
    strategy: Strategy,
    at: str,
) -> Deployment:
    """What people and newer wishes ask for counts up to the switch, never later."""
    if deployment.state not in BEFORE_SWITCH:
        return deployment
    match event:
        case events.Superseded():
            return deployment.moved(State.SUPERSEDED, at, reason="superseded", detail=f"{event.by} is wanted instead")
        case events.Canceled():
            return deployment.moved(State.CANCELED, at, reason="canceled", detail=f"canceled by {event.by}")
        case events.Approved():
            return _approved(deployment, event, strategy, at)
        case events.Unheld():
            if is_before_switch(deployment):
                return _onward(deployment, None, strategy, at)
            return (
                replace(deployment, waiting_for=None, reason=None, detail=None)
                if deployment.waiting_for
                else deployment
            )


def _approved(deployment: Deployment, event: events.Approved, strategy: Strategy, at: str) -> Deployment:
    """Where it waits for just this it goes on; else the approval is kept until it counts."""
    if deployment.approved_by is not None:
        return deployment
    approved = replace(deployment, approved_by=event.by)
    if deployment.waiting_for == APPROVAL:
        return _onward(approved, event.hold, strategy, at)
    return approved


def _after_outcome(
    deployment: Deployment, event: events.Refused | events.Failed | events.Disappointed | events.TimedOut, at: str
) -> Deployment:
    """Before the switch an end; from then on the way back."""
    if deployment.state is State.ROLLING_BACK:
        if isinstance(event, events.Failed | events.TimedOut):
            raise _bug(deployment, event)
        return deployment  # it is being taken back already
    is_before = deployment.state in BEFORE_SWITCH
    may_fail = is_before or deployment.state is State.ACTIVATING
    match event:
        case events.Disappointed() if is_before:
            return deployment  # nothing serves that could be rolled back
        case events.Disappointed() | events.Failed():
            judged = _reported(deployment, event.report, passed=False)
            end = State.FAILED if may_fail and isinstance(event, events.Failed) else State.ROLLING_BACK
            return judged.moved(end, at, reason=event.reason, detail=event.detail)
        case events.Refused():
            end = State.REJECTED if is_before else State.ROLLING_BACK
            return deployment.moved(end, at, reason=event.reason, detail=event.detail)
        case events.TimedOut():
            end = State.TIMED_OUT if is_before else State.ROLLING_BACK
            return deployment.moved(end, at, reason="timed_out", detail=event.detail)


def _after_crash(deployment: Deployment, event: events.Crashed, strategy: Strategy, at: str) -> Deployment:
    """Each act is repeated; what may have caused the crash is counted, and has a limit.

    Who only waits is not counted: a box that is switched off every night may wait for weeks.
    """
    again = replace(deployment, moves=deployment.moves + 1)
    match deployment.state:
        case State.PENDING | State.ROLLING_BACK:
            return deployment
        case State.PROBATION if event.line:
            return _restarted(deployment, strategy, at)
        case _ if deployment.waiting_for is not None:
            return deployment
        case State.LOADING | State.ACCEPTING:
            if deployment.attempts < LOADS_MAX:
                return replace(again, attempts=deployment.attempts + 1)
            what = f"the box or its examiner stopped {LOADS_MAX} times while it was in {deployment.state.value}"
            return deployment.moved(State.FAILED, at, reason="load_error", detail=what)
        case _:
            return again


def _restarted(deployment: Deployment, strategy: Strategy, at: str) -> Deployment:
    restarts = deployment.restarts + 1
    counted = replace(deployment, restarts=restarts)
    if restarts <= strategy.probation.restarts:
        return counted
    detail = f"the line restarted {restarts} times in probation; {strategy.probation.restarts} are allowed"
    return counted.moved(State.ROLLING_BACK, at, reason="restarts", detail=detail)


def _onward(deployment: Deployment, hold: Hold | None, strategy: Strategy, at: str) -> Deployment:
    """To the next proof that the box asks for; after the last to the switch, where nothing holds it."""
    if deployment.state is State.ACCEPTING and strategy.shadow.parts > 0:
        return deployment.moved(State.SHADOWING, at)
    if deployment.state is not State.CANARY and strategy.canary.parts > 0:
        return deployment.moved(State.CANARY, at)
    if strategy.approve and deployment.approved_by is None:
        return _waiting(deployment, APPROVAL, "it proved all it has to, and waits for a person to approve it")
    if hold is not None:
        return _waiting(deployment, hold.waiting_for, hold.detail)
    return deployment.moved(State.ACTIVATING, at)


def _waiting(deployment: Deployment, waiting_for: str, detail: str) -> Deployment:
    if (deployment.waiting_for, deployment.detail) == (waiting_for, detail):
        return deployment
    return replace(deployment, waiting_for=waiting_for, reason=waiting_for, detail=detail)


def _commit(deployment: Deployment, report: Report, at: str) -> Deployment:
    running = report.get("running_digest")
    if running != deployment.digest:
        raise RuntimeError(f"a commit of {deployment.digest} while the line runs {running}")
    return _reported(deployment, report, passed=True).moved(State.SUCCESS, at)


def _reported(deployment: Deployment, report: Report, *, passed: bool | None = None) -> Deployment:
    """With the state's report, over what was counted so far; unchanged in a state that has none."""
    name = REPORTS.get(deployment.state)
    if name is None:
        return deployment
    value: dict[str, Any] = {**deployment.reports.get(name, {}), **report, "passed": passed}
    return replace(deployment, reports={**deployment.reports, name: value})


def _bug(deployment: Deployment, event: Event) -> RuntimeError:
    return RuntimeError(f"{type(event).__name__} cannot happen in {deployment.state.value}")
