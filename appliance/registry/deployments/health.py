"""Judges: whether a candidate goes on, passed or failed, from whole counters. Nothing is remembered between calls."""

import enum
from dataclasses import dataclass

from appliance.registry.config import CanaryConfig, ProbationConfig, ShadowConfig
from appliance.registry.deployments.events import Report


class Outcome(str, enum.Enum):
    """What follows from the counters so far."""

    GO_ON = "go_on"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One look at the counters."""

    outcome: Outcome
    reason: str | None
    """For programs; None unless FAILED."""
    detail: str
    """A sentence for people: what was measured, and what was allowed."""
    report: Report
    """The counters, `elapsed_s`, and `passed` (None while it goes on): for Deployment.reports."""


def judge_shadow(report: Report, config: ShadowConfig, elapsed_s: float) -> Judgement:
    """Keys: parts, agreed, new_passes, new_rejects, failed, skipped, max_score_drift, drift_label,
    candidate_ms_median, serving_ms_median. Reasons: agreement, new_passes, score_drift, slower, too_long."""
    raise NotImplementedError


def judge_canary(report: Report, config: CanaryConfig, elapsed_s: float) -> Judgement:
    """Keys: parts, new_rejects, new_passes, failed, skipped. Reasons: new_rejects, too_long."""
    raise NotImplementedError


def judge_probation(report: Report, config: ProbationConfig, elapsed_s: float, digest: str) -> Judgement:
    """Keys: parts, late, undefined, failed_parts, baseline_parts, baseline_failed_parts, restarts, running_digest.

    `digest`: the candidate's. Reasons: late, restarts, undefined, fail_rise, not_running.
    """
    raise NotImplementedError
