"""Counts what the results say, for health and metrics."""

import copy
import threading

from appliance.inspection.result import Reason, Result
from appliance.status import CameraStatus


class Tally:
    """One camera's counters. All methods from any thread; a few microseconds each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status = CameraStatus()  # guarded by _lock; what is not counted here stays empty

    def count(self, result: Result) -> None:
        """One part more."""
        times = result.times
        with self._lock:
            status = self._status
            status.parts += 1
            status.passed += result.evaluation.verdict == "pass"
            _one_more(status.evaluations, result.evaluation.value)
            if result.reason is not None:
                _one_more(status.reasons, result.reason.value)
            if result.reason is Reason.DEADLINE_EXPIRED or not result.deadline_met:
                status.deadline_missed += 1
            for stage, value_ms in (
                ("acquisition", times.acquisition_ms),
                ("queue", times.queue_ms),
                ("inference", times.inference_ms),
                ("total", times.total_ms),
                ("frame_age", times.frame_age_ms),
            ):
                if value_ms is not None:
                    status.latency[stage].add(value_ms)

    def observe(self, stage: str, value_ms: float) -> None:
        """One duration of a stage that a result does not carry (preprocess, recorded)."""
        with self._lock:
            self._status.latency[stage].add(value_ms)

    @property
    def parts(self) -> int:
        """Parts that have their result."""
        return self._status.parts

    @property
    def passed(self) -> int:
        """Parts that passed."""
        return self._status.passed

    def snapshot(self, state: str, detail: str) -> CameraStatus:
        """A copy of the counters with the camera's state."""
        with self._lock:
            status = copy.deepcopy(self._status)
        status.state, status.detail = state, detail
        return status


def _one_more(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1
