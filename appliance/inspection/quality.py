"""The quality gate: a picture that cannot be judged is never judged.

What is measured, and how, is in `measure.py`; here a picture's measures meet the recipe's limits.
"""

from dataclasses import dataclass

from pydantic import BaseModel

from appliance.inspection.result import Reason
from camera.frame import Frame


class QualityConfig(BaseModel, extra="forbid", frozen=True):
    """Limits of what can be judged. What is left out is not checked."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a picture cannot be judged."""

    reason: Reason
    detail: str
    """One sentence: what was measured, against which limit, what to look at."""


class QualityGate:
    """One recipe's gate. Used by one thread; about 1 ms at 1920x1200."""

    def __init__(self, config: QualityConfig) -> None:
        """Cheap. Raises: RecipeError where the limits cannot be met by any picture."""
        self._config = config

    def check(self, frame: Frame, now_ns: int) -> Unfit | None:
        """None where the picture may be judged. `frame.status` is OK; `now_ns`: CLOCK_MONOTONIC."""
        return None
