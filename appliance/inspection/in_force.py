"""A recipe as it is in force on one camera. A part keeps the one under which it was triggered."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from appliance.inspection.canary import Borrowed, Canary
from appliance.inspection.recipe import RecipeConfig

_MARGIN_SHARE = 0.05
_MARGIN_MAX_MS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class InForce:
    """Replaced whole at a changeover, between two triggers: parts before it are judged as they were begun."""

    recipe_id: str
    recipe: RecipeConfig
    config_id: str
    """Digest of everything that decides the verdict, besides the model version itself."""
    deadline_ms: float
    """From the trigger to the moment the gate has to know: the sooner of the recipe's and the gate's."""
    borrow: Callable[[], AbstractContextManager[Borrowed]]
    """Gives the version of the recipe's model that serves now. Raises NotServing."""
    canary: Callable[[], Canary | None] = lambda: None
    """A candidate that has to pass each part too."""
    job_id: str | None = None
    """What the plant calls this order (OPC 40100-1's JobId)."""
    since_utc_ns: int = field(default_factory=time.time_ns)

    @property
    def margin_ms(self) -> float:
        """How long before its deadline a part without a verdict is given up: time for the verdict to be told."""
        return min(_MARGIN_MAX_MS, self.deadline_ms * _MARGIN_SHARE)
