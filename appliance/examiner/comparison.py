"""Both models' decisions on the same parts, counted. No clock, no model, no socket."""

import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance.examiner.reports import Shadowed
from appliance.inspection import Evaluation

_TIMES: Final = 1000
"""The newest calls, of which the medians are."""
_OK, _UNDEFINED = Evaluation.OK.value, Evaluation.UNDEFINED.value


@dataclass(frozen=True, slots=True)
class Judged:
    """One part, judged by one model."""

    evaluation: str
    scores: Mapping[str, float]
    """By label."""
    call_ms: float | None


class Comparison:
    """Since shadowing was switched on. One thread."""

    def __init__(self) -> None:
        self._parts = self._agreed = self._new_passes = self._new_rejects = 0
        self._failed = self._skipped = 0
        self._candidate: dict[str, float] = {}
        self._serving: dict[str, float] = {}
        """Sums of scores, by label."""
        self._candidate_ms: deque[float] = deque(maxlen=_TIMES)
        self._serving_ms: deque[float] = deque(maxlen=_TIMES)
        self._last: dict[str, int] = {}
        """By camera: the newest trigger seen."""

    def see(self, camera: str, trigger_id: int) -> None:
        """A part is shown; those between it and the one before were not."""
        last = self._last.get(camera)
        if last is not None:
            self._skipped += max(0, trigger_id - last - 1)
        self._last[camera] = trigger_id

    def skip(self) -> None:
        """A part that could not be compared, through no fault of the candidate's."""
        self._skipped += 1

    def fail(self) -> None:
        """A part that the candidate could not judge."""
        self._failed += 1

    def compare(self, serving: Judged, candidate: Judged) -> None:
        """A part that both judged, or could have."""
        if serving.evaluation == _UNDEFINED:
            self.skip()
        elif candidate.evaluation == _UNDEFINED:
            self.fail()
        else:
            self._count(serving, candidate)

    def _count(self, serving: Judged, candidate: Judged) -> None:
        self._parts += 1
        self._agreed += serving.evaluation == candidate.evaluation
        self._new_passes += candidate.evaluation == _OK != serving.evaluation
        self._new_rejects += serving.evaluation == _OK != candidate.evaluation
        for sums, judged, times in (
            (self._serving, serving, self._serving_ms),
            (self._candidate, candidate, self._candidate_ms),
        ):
            for label, score in judged.scores.items():
                sums[label] = sums.get(label, 0.0) + score
            if judged.call_ms is not None:
                times.append(judged.call_ms)

    def report(self, seconds: float) -> Shadowed:
        """What is known by now; less than a millisecond."""
        drift, label = self._drift()
        return Shadowed(
            parts=self._parts,
            agreed=self._agreed,
            new_passes=self._new_passes,
            new_rejects=self._new_rejects,
            failed=self._failed,
            skipped=self._skipped,
            max_score_drift=round(drift, 6),
            drift_label=label,
            candidate_ms_median=_median(self._candidate_ms),
            serving_ms_median=_median(self._serving_ms),
            seconds=round(seconds, 3),
        )

    def _drift(self) -> tuple[float, str | None]:
        """A label that only one of the models knows has the score 0 with the other."""
        if not self._parts:
            return 0.0, None
        labels = sorted(self._candidate.keys() | self._serving.keys())
        return max(
            (
                (abs(self._candidate.get(label, 0.0) - self._serving.get(label, 0.0)) / self._parts, label)
                for label in labels
            ),
            default=(0.0, None),
        )


def _median(times: deque[float]) -> float | None:
    return round(statistics.median(times), 4) if times else None
