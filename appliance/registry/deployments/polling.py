"""When to look at the source next: spread, with jitter, patient with a registry that is down. Seconds, monotonic."""

from dataclasses import dataclass
from typing import Final

BACKOFF_FIRST_S: Final = 5.0
BACKOFF_MAX_S: Final = 900.0
RETRY_AFTER_MAX_S: Final = 86_400.0
LOOK_GAP_S: Final = 10.0
"""Between two looks that somebody asked for."""


@dataclass(frozen=True, slots=True)
class Polling:
    """When the next look is due."""

    due: float
    failures: int = 0
    not_before: float = 0.0
    """The source asked us not to come back earlier (Retry-After)."""
    looked: float | None = None
    """The last look that somebody asked for."""


def first_look(box_id: str, period_s: float, now: float) -> Polling:
    """After a start: at this box' own place in the period, so that a site's power cut is no stampede."""
    raise NotImplementedError


def answered(polling: Polling, period_s: float, now: float, draw: float) -> Polling:
    """The source answered; `draw` uniform in 0..1: the next look in 0.9..1.1 periods."""
    raise NotImplementedError


def unanswered(polling: Polling, now: float, draw: float, retry_after_s: float | None = None) -> Polling:
    """It did not: full jitter, ceiling 5 s doubling to 15 minutes, and never before Retry-After (at most a day)."""
    raise NotImplementedError


def look_now(polling: Polling, now: float, *, box_id: str, spread_s: float = 0.0) -> Polling:
    """Somebody asks for a look: within `spread_s`, at this box' place; not more often than LOOK_GAP_S."""
    raise NotImplementedError
