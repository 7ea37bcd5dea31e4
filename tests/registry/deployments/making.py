"""Deployments and events of each kind, for tests."""

from typing import Any

from appliance.registry.config import CanaryConfig, ProbationConfig, ShadowConfig
from appliance.registry.deployments import events as e
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.states import State
from appliance.registry.deployments.strategy import Strategy

AT = "2026-11-20T20:31:04Z"
LATER = "2026-11-20T20:32:00Z"
DIGEST = "sha256:" + "ab" * 32
HOLD = e.Hold("window", "no change before 22:00")


def strategy(*, shadow: int = 100, canary: int = 100, approve: bool = False, restarts: int = 3) -> Strategy:
    return Strategy(
        ShadowConfig(parts=shadow), CanaryConfig(parts=canary), ProbationConfig(restarts=restarts), approve=approve
    )


def deployment(state: State = State.PENDING, **facts: Any) -> Deployment:
    known = {"version": 7, "release": 12, "digest": DIGEST} if state is not State.PENDING else {}
    return Deployment(
        "0193", "surface", "oci://r/surface:stable", "sha256:cd", "ci", AT, AT, state, **{**known, **facts}
    )


ONE_OF_EACH = {
    type(event).__name__: event
    for event in (
        e.Began(),
        e.StatementVerified(7, 12, DIGEST, 1000),
        e.Fetched(10, 5),
        e.AlreadyHere(),
        e.Downloaded(),
        e.Verified(),
        e.Staged(),
        e.Loaded(),
        e.Accepted({"samples": 8}),
        e.ShadowPassed({"parts": 100}),
        e.CanaryPassed({"parts": 100}),
        e.Counted({"parts": 3}),
        e.Activated(11),
        e.Committed({"running_digest": DIGEST}),
        e.Refused("signature", "no key of this box signed it"),
        e.Failed("network", "no answer", {}),
        e.Disappointed("late", "3 parts were late", {"late": 3}),
        e.Superseded("release 13"),
        e.Canceled("anna"),
        e.TimedOut("it took more than a day"),
        e.RolledBack(),
        e.RollbackFailed("its files are gone"),
        e.Crashed(),
        e.Approved("anna"),
        e.Held("ring", "not in the ring"),
        e.Unheld(),
    )
}
