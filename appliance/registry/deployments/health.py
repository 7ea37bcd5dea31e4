"""Judges: whether a candidate goes on, passed or failed, from whole counters. Nothing is remembered between calls.

A share is judged twice. While it runs, it fails early only where the counts prove the share above its limit
(shares.is_above). At the end, when parts AND time are reached, the observed share is held against the limit.
"""

import enum
from dataclasses import dataclass
from typing import Final

from appliance.binomial import upper_bound
from appliance.registry.config import CanaryConfig, ProbationConfig, ShadowConfig
from appliance.registry.deployments import shares
from appliance.registry.deployments.events import Report

SETTLES_S: Final = 60.0
"""So long after the switch the line may still tell of the model before."""
BASELINE_MIN: Final = 30
"""Fewer parts before the change say little of the usual share; then its upper bound stands in."""


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


@dataclass(frozen=True, slots=True)
class _Share:
    """One share that has a limit."""

    reason: str
    what: str
    hits: int
    parts: int
    limit: float
    limit_early: float | None = None
    """Another one while it runs; None: the same."""

    def is_broken(self, *, at_end: bool) -> bool:
        if at_end and self.hits > self.limit * self.parts + 1e-9:
            return True
        return shares.is_above(self.hits, self.parts, self.limit if self.limit_early is None else self.limit_early)

    def sentence(self) -> str:
        share = self.hits / self.parts if self.parts else 0.0
        return f"{self.what} on {self.hits} of {self.parts} parts ({share:.1%}); {self.limit:.1%} are allowed"


def judge_shadow(report: Report, config: ShadowConfig, elapsed_s: float) -> Judgement:
    """Whether the candidate may go on.

    Keys: parts (both models answered), agreed, new_passes, new_rejects, failed (the candidate gave no answer: it counts
    as a part without agreement), skipped (not shown to it), max_score_drift, drift_label, candidate_ms_median,
    serving_ms_median (None: not measured). Reasons: agreement, new_passes, score_drift, slower, too_long.
    """
    at_end = _is_reached(report["parts"], config.parts, elapsed_s, config.at_least_s)
    parts = report["parts"] + report["failed"]
    broken = _first_broken(
        _Share(
            "new_passes",
            "it passes what the serving model does not",
            report["new_passes"],
            parts,
            config.max_new_passes,
        ),
        _Share("agreement", "it disagrees", parts - report["agreed"], parts, 1.0 - config.min_agreement),
        at_end=at_end,
    )
    if broken is None and at_end:
        broken = _drift(report, config) or _slowness(report, config)
    if broken is None and not at_end and elapsed_s > config.gives_up_s:
        broken = _too_long(report, config.parts, config.gives_up_s)
    return _judgement(report, elapsed_s, broken, (config.parts, config.at_least_s), is_enough=at_end)


def judge_canary(report: Report, config: CanaryConfig, elapsed_s: float) -> Judgement:
    """Whether the candidate may serve alone.

    Keys: parts (judged by both), new_rejects, new_passes, failed (no answer: the part was rejected, and counts so),
    skipped. Reasons: new_rejects, too_long. New passes cost nothing here, the part was rejected; shadow judges them.
    """
    at_end = _is_reached(report["parts"], config.parts, elapsed_s, config.at_least_s)
    parts, rejects = report["parts"] + report["failed"], report["new_rejects"] + report["failed"]
    judged = _Share("new_rejects", "only the candidate rejects", rejects, parts, config.max_new_rejects)
    broken = _first_broken(judged, at_end=at_end)
    if broken is None and not at_end and elapsed_s > config.gives_up_s:
        broken = _too_long(report, config.parts, config.gives_up_s)
    return _judgement(report, elapsed_s, broken, (config.parts, config.at_least_s), is_enough=at_end)


def judge_probation(report: Report, config: ProbationConfig, elapsed_s: float, digest: str) -> Judgement:
    """Whether what serves may stay. Counters begin with the switch.

    Keys: parts, late, undefined (because of the model), failed_parts, baseline_parts and baseline_failed_parts (the
    same line before the switch), restarts, running_digest (what the line itself says it runs; None: it does not say).
    `digest`: the candidate's; nothing passes while the line says another, whatever was intended.
    Reasons: late, restarts, not_running, undefined, fail_rise. No time limit: an idle line is not a fault.
    """
    reached = _is_reached(report["parts"], config.parts, elapsed_s, config.at_least_s)
    runs = report["running_digest"] == digest
    broken = _count_above("late", "parts were late", report["late"], config.max_late) or _count_above(
        "restarts", "restarts of the line", report["restarts"], config.restarts
    )
    if broken is None and not runs and report["running_digest"] is not None and elapsed_s > SETTLES_S:
        broken = "not_running", f"the line runs {report['running_digest']}, and not {digest}"
    broken = broken or _first_broken(
        _Share("undefined", "no answer of the model", report["undefined"], report["parts"], config.max_undefined),
        _rise(report, config),
        at_end=reached,
    )
    return _judgement(report, elapsed_s, broken, (config.parts, config.at_least_s), is_enough=reached and runs)


def _is_reached(parts: int, wanted: int, elapsed_s: float, at_least_s: float) -> bool:
    """Parts and time: a line may stand idle, and a fast one may show 200 parts of a single batch."""
    return parts >= wanted and elapsed_s >= at_least_s


def _first_broken(*judged: _Share, at_end: bool) -> tuple[str, str] | None:
    return next(((one.reason, one.sentence()) for one in judged if one.is_broken(at_end=at_end)), None)


def _count_above(reason: str, what: str, count: int, limit: int) -> tuple[str, str] | None:
    return (reason, f"{count} {what}; {limit} are allowed") if count > limit else None


def _rise(report: Report, config: ProbationConfig) -> _Share:
    """The usual share of failed parts is itself only a sample: early, its upper bound counts."""
    before, failed = report["baseline_parts"], report["baseline_failed_parts"]
    bound = upper_bound(failed, before)
    usual = failed / before if before >= BASELINE_MIN else bound
    limit, early = (min(1.0, share + config.max_fail_rise) for share in (usual, bound))
    what = f"a fail verdict (usual: {failed} of {before})"
    return _Share("fail_rise", what, report["failed_parts"], report["parts"], limit, early)


def _drift(report: Report, config: ShadowConfig) -> tuple[str, str] | None:
    """Judged at the end only: a mean of few parts says nothing."""
    drift = report["max_score_drift"]
    if drift is None or drift <= config.max_score_drift:
        return None
    where = f"the mean score of {report['drift_label']!r} moved by {drift:.3f}"
    return "score_drift", f"{where}; {config.max_score_drift:.3f} is allowed"


def _slowness(report: Report, config: ShadowConfig) -> tuple[str, str] | None:
    candidate, serving = report["candidate_ms_median"], report["serving_ms_median"]
    if candidate is None or serving is None or candidate <= serving * config.max_slower:
        return None
    times = f"its call takes {candidate:.1f} ms, the serving model's {serving:.1f} ms (medians)"
    return "slower", f"{times}; {config.max_slower:g} times as long is allowed"


def _too_long(report: Report, parts: int, gives_up_s: float) -> tuple[str, str]:
    return "too_long", f"only {report['parts']} of {parts} parts came within {gives_up_s:g} s; was the line idle?"


def _judgement(
    report: Report,
    elapsed_s: float,
    broken: tuple[str, str] | None,
    wanted: tuple[int, float],
    *,
    is_enough: bool,
) -> Judgement:
    outcome = Outcome.FAILED if broken else Outcome.PASSED if is_enough else Outcome.GO_ON
    so_far = f"{report['parts']} of {wanted[0]} parts, {elapsed_s:.0f} of {wanted[1]:g} s"
    reason, detail = broken or (None, so_far)
    passed = None if outcome is Outcome.GO_ON else outcome is Outcome.PASSED
    return Judgement(outcome, reason, detail, {**report, "elapsed_s": round(elapsed_s, 3), "passed": passed})
