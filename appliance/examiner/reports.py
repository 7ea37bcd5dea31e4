"""What an examination found, flat, as it stands in JSON."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The golden samples: the publisher's, and this site's."""

    passed: bool
    golden_samples: int
    golden_worst: float
    """The largest difference between a score and what the publisher had."""
    golden_worst_sample: str | None
    golden_tolerance: float
    """What that sample may differ by."""
    site_pictures: int
    """Judged; a picture that is judged under two recipes counts twice."""
    site_good: int
    site_bad: int
    site_escapes: int
    """Bad, and evaluated OK."""
    site_false_rejects: int
    """Good, and not evaluated OK."""
    site_not_decidable: int
    """Evaluated NotDecidable; good ones count as false rejects as well."""
    seconds: float
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """For the link."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Shadowed:
    """The line's parts, judged by the candidate as well, since shadowing was switched on."""

    parts: int = 0
    """Judged by both: agreed + new_passes + new_rejects + those whose evaluation differs in another way."""
    agreed: int = 0
    """The same evaluation."""
    new_passes: int = 0
    """OK for the candidate, not for the serving model."""
    new_rejects: int = 0
    """OK for the serving model, not for the candidate."""
    failed: int = 0
    """Parts that the candidate could not judge: it failed, or gave no scores in 0..1."""
    skipped: int = 0
    """Parts that were not compared: their frame was gone, or the serving model had no evaluation."""
    max_score_drift: float = 0.0
    """The largest difference between both models' mean scores of one label, over the parts that both judged."""
    drift_label: str | None = None
    candidate_ms_median: float | None = None
    """Of one call. Where the model runs on its caller's thread alone, that thread's processor time: an examiner comes
    after everybody else, and how long it waits says nothing of the model."""
    serving_ms_median: float | None = None
    seconds: float = 0.0
    """Since it was switched on."""

    def as_json(self) -> dict[str, Any]:
        """For the link."""
        return asdict(self)
