"""When to look at the source next: spread, with jitter, patient with a registry that is down. Seconds, monotonic.

The backoff is "full jitter": a uniform draw below a ceiling that doubles. (Brooker, "Exponential Backoff And Jitter",
AWS Architecture Blog, 2015: of the ways compared, few calls and no waves.)
"""

from dataclasses import dataclass, replace
from typing import Final

from appliance.registry.deployments.places import share_of

BACKOFF_FIRST_S: Final = 5.0
BACKOFF_MAX_S: Final = 900.0
RETRY_AFTER_MAX_S: Final = 86_400.0
LOOK_GAP_S: Final = 10.0
"""Between two looks that somebody asked for."""
_DOUBLINGS_MAX: Final = 8
"""5 s x 2^8 is above the ceiling."""


@dataclass(frozen=True, slots=True)
class Polling:
    """When the next look is due."""

    due: float
    failures: int = 0
    """In a row."""
    not_before: float | None = None
    """The source asked us not to come back earlier (Retry-After)."""
    looked: float | None = None
    """When the last look that somebody asked for was due."""


def first_look(box_id: str, period_s: float, now: float) -> Polling:
    """After a start: at this box' own place in the period, so that a site's power cut is no stampede."""
    return Polling(now + share_of(box_id, "poll") * period_s)


def answered(polling: Polling, period_s: float, now: float, draw: float) -> Polling:
    """The source answered; `draw` uniform in 0..1: the next look in 0.9..1.1 periods."""
    return Polling(now + period_s * (0.9 + 0.2 * draw), looked=polling.looked)


def unanswered(polling: Polling, now: float, draw: float, retry_after_s: float | None = None) -> Polling:
    """It did not: full jitter, a ceiling of 5 s doubling to 15 minutes; after Retry-After (a day at most).

    Retry-After sends all boxes away at once, so they come back spread over as long again: in tests/fleet ten thousand
    boxes that were sent away for 30 s came back within 5 s, seven times what the registry could answer.
    """
    ceiling_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(polling.failures, _DOUBLINGS_MAX))
    failures = polling.failures + 1
    if retry_after_s is None:
        return replace(polling, due=now + draw * ceiling_s, failures=failures, not_before=None)
    away_s = min(max(retry_after_s, 0.0), RETRY_AFTER_MAX_S)
    spread_s = max(ceiling_s, min(away_s, BACKOFF_MAX_S))
    return replace(polling, due=now + away_s + draw * spread_s, failures=failures, not_before=now + away_s)


def look_now(polling: Polling, now: float, *, box_id: str, spread_s: float = 0.0) -> Polling:
    """Somebody asks for a look: within `spread_s`, at this box' place; not more often than LOOK_GAP_S."""
    due = now + share_of(box_id, "look") * spread_s
    if polling.looked is not None:
        due = max(due, polling.looked + LOOK_GAP_S)
    if polling.not_before is not None:
        due = max(due, polling.not_before)
    return polling if polling.due <= due else replace(polling, due=due, looked=due)
