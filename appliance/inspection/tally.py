"""Counts what the results say, for health, metrics and the summary of each minute."""

import operator
import threading
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from appliance.figures import LABELS_MAX, LATENCY_BOUNDS_MS, MODELS_MAX, Counted, Figures, Latency, Moments, summed
from appliance.inspection.result import ClassScore, Reason, Result
from appliance.status import LATENCY_BUCKETS_MS, STAGES, CameraStatus, Histogram

_LAST_INSIDE: Final = [LATENCY_BOUNDS_MS.index(bound_ms) for bound_ms in LATENCY_BUCKETS_MS]
"""Where the coarse buckets of the status end among the fine ones."""


class Tally:
    """One camera's, or group's, counters. All methods from any thread; some ten microseconds a part."""

    def __init__(self, *, with_scores: bool = True) -> None:
        """`with_scores`: follow each label's score; a group's are those of its cameras."""
        self._lock = threading.Lock()  # of the verdict's thread, too: held for microseconds
        self._now = _empty({} if with_scores else None)
        """Of the interval that runs; guarded by _lock."""
        self._newest: tuple[str, int] | None = None
        """Stream and sequence on the disk; guarded by _lock."""
        self._reading = threading.Lock()  # taken before _lock
        self._ended = _empty({} if with_scores else None)
        """Of the intervals that have ended; guarded by _reading."""

    def count(self, result: Result) -> None:
        """One part more."""
        times = result.times
        with self._lock:
            now = self._now
            now.parts += 1
            now.passed += result.evaluation.verdict == "pass"
            _one_more(now.evaluations, result.evaluation.value)
            if result.reason is not None:
                _one_more(now.reasons, result.reason.value)
            if result.reason is Reason.DEADLINE_EXPIRED or not result.deadline_met:
                now.deadline_missed += 1
            latency = now.latency
            latency["total"].add(times.total_ms)
            if times.acquisition_ms is not None:
                latency["acquisition"].add(times.acquisition_ms)
            if times.queue_ms is not None:
                latency["queue"].add(times.queue_ms)
            if times.inference_ms is not None:
                latency["inference"].add(times.inference_ms)
            if times.frame_age_ms is not None:
                latency["frame_age"].add(times.frame_age_ms)
            if result.model is not None:
                _add_model(now.models, (result.model.name, result.model.version))
            if now.scores is not None:
                _add_scores(now.scores, result.classes)

    def observe(self, stage: str, value_ms: float) -> None:
        """One duration of a stage that a result does not carry (preprocess)."""
        with self._lock:
            self._now.latency[stage].add(value_ms)

    def recorded(self, stream: str, sequence: int, after_ms: float) -> None:
        """A result is on the disk, so long after its verdict."""
        with self._lock:
            self._now.latency["recorded"].add(after_ms)
            self._newest = stream, sequence

    @property
    def parts(self) -> int:
        """Parts that have their result."""
        with self._reading, self._lock:
            return self._ended.parts + self._now.parts

    @property
    def passed(self) -> int:
        """Parts that passed."""
        with self._reading, self._lock:
            return self._ended.passed + self._now.passed

    def snapshot(self, state: str, detail: str) -> CameraStatus:
        """A copy of the counters with the camera's state."""
        with self._reading:
            ended = self._ended
            with self._lock:
                now = self._now.copy()
        return CameraStatus(
            state=state,
            detail=detail,
            parts=ended.parts + now.parts,
            passed=ended.passed + now.passed,
            evaluations=summed(ended.evaluations, now.evaluations),
            reasons=summed(ended.reasons, now.reasons),
            deadline_missed=ended.deadline_missed + now.deadline_missed,
            latency={stage: _coarse(ended.latency[stage], now.latency[stage]) for stage in STAGES},
        )

    def end_interval(self) -> Counted:
        """What came since the interval before, and all since the start; what comes now belongs to the next one."""
        with self._reading:
            fresh = _empty({} if self._ended.scores is not None else None)
            with self._lock:
                interval, self._now = self._now, fresh
                if interval.scores is not None and len(interval.scores) == LABELS_MAX:
                    fresh.scores = _same_labels(interval)
                newest = self._newest
            self._ended = self._ended.plus(interval)
            return Counted(self._ended, interval, *(newest or (None, None)))


def _empty(scores: dict[tuple[str, str | None], Moments] | None) -> Figures:
    return Figures(latency={stage: Latency() for stage in STAGES}, scores=scores)


def _same_labels(before: Figures) -> dict[tuple[str, str | None], Moments]:
    """Of a model with more labels than are followed, those before are followed on; not those of a model before it."""
    scores = before.scores or {}
    return {label: Moments() for label, moments in scores.items() if moments.count or not before.models}


def _one_more(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def _add_scores(scores: dict[tuple[str, str | None], Moments], classes: Sequence[ClassScore]) -> None:
    for one in classes:
        key = (one.label, one.region)
        moments = scores.get(key)
        if moments is None:
            if len(scores) >= LABELS_MAX:
                continue
            moments = scores[key] = Moments()
        moments.add(one.score)


def _add_model(models: dict[tuple[str, int], int], used: tuple[str, int]) -> None:
    if used not in models and len(models) >= MODELS_MAX:
        del models[next(iter(models))]
    models[used] = models.get(used, 0) + 1


def _coarse(ended: Latency, now: Latency) -> Histogram:
    below = [0, *accumulate(map(operator.add, ended.counts, now.counts))]
    ends = [below[last + 1] for last in _LAST_INSIDE]
    counts = [upper - lower for lower, upper in zip((0, *ends), (*ends, below[-1]), strict=True)]
    return Histogram(counts, ended.sum_ms + now.sum_ms)
