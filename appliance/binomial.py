"""Shares of a whole judged by a sample of it, exactly: few parts prove little."""

import math
from collections.abc import Callable
from typing import Final

CONFIDENCE: Final = 0.95
"""Of the bounds: in one of twenty samples the true share lies beyond them, and no more often."""

_SHARE_ERROR: Final = 1e-9
"""Of `bounds`, relative."""
_TAIL_ERROR: Final = 1e-12


def tail(hits: int, parts: int, share: float) -> float:
    """P(at least `hits` of `parts`) where each is one with the chance `share`: the exact binomial.

    Cost: microseconds; milliseconds for ten million parts with `hits` near the mean.
    """
    if hits <= 0:
        return 1.0
    if hits > parts or share <= 0.0:
        return 0.0
    if share >= 1.0:
        return 1.0
    if hits <= parts * share:  # the other tail is the short one
        return 1.0 - _sum_up(parts - hits + 1, parts, 1.0 - share)
    return _sum_up(hits, parts, share)


def upper_bound(hits: int, parts: int) -> float:
    """The share that `hits` of `parts` are still likely under: Clopper-Pearson, one-sided, 95 %. 1 for no parts.

    Source: Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934); NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.4.1.
    """
    if hits >= parts:
        return 1.0
    low, high = hits / parts, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        at_most = 1.0 - tail(hits + 1, parts, middle)
        low, high = (middle, high) if at_most > 1.0 - CONFIDENCE else (low, middle)
    return high


def bounds(hits: int, parts: int) -> tuple[float, float]:
    """Between which two shares the true one is, where `hits` of `parts` were found: Clopper-Pearson, two-sided, 95 %.

    0 and 1 for no parts. Cost: some 50 µs; milliseconds from a million parts on.
    """
    if parts <= 0:
        return 0.0, 1.0
    beyond = (1.0 - CONFIDENCE) / 2
    low = 0.0 if hits <= 0 else _crossing(lambda share: tail(hits, parts, share) - beyond, hits, parts)
    high = (
        1.0
        if hits >= parts
        else 1.0 - _crossing(lambda share: tail(parts - hits, parts, share) - beyond, parts - hits, parts)
    )
    return low, high


def _crossing(above: Callable[[float], float], hits: int, parts: int) -> float:
    """Where a rising function of the share crosses 0, below hits / parts: false position, the Illinois way."""
    high = hits / parts
    low, over = 0.0, above(high)
    guess = high - 2 * math.sqrt(high * (1 - high) / parts) - 2 / parts  # most of the way: the normal one's bound
    if guess > 0:
        at_guess = above(guess)
        low, high = (guess, high) if at_guess < 0 else (0.0, guess)
        under, over = (at_guess, over) if at_guess < 0 else (above(0.0), at_guess)
    else:
        under = above(0.0)
    side = 0
    for _ in range(60):
        if high - low < _SHARE_ERROR * high:
            break
        middle = (low * over - high * under) / (over - under)
        value = above(middle)
        if value < 0:
            low, under = middle, value
            over = over / 2 if side < 0 else over
            side = -1
        else:
            high, over = middle, value
            under = under / 2 if side > 0 else under
            side = 1
        if abs(value) < _TAIL_ERROR:
            return middle
    return (low + high) / 2


def allowed(parts: int, share: float) -> int | None:
    """The most hits among `parts` whose upper bound is within `share`; None where not even 0 is."""
    if upper_bound(0, parts) > share:
        return None
    low, high = 0, parts  # within the share, beyond it
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if upper_bound(middle, parts) <= share else (low, middle)
    return low


def needed(share: float) -> int:
    """How many parts without a single hit show that the true share is within `share`. 299 for 1 %."""
    return max(1, math.ceil(math.log(1.0 - CONFIDENCE) / math.log1p(-share) - 1e-9)) if share < 1.0 else 1


def _sum_up(hits: int, parts: int, share: float) -> float:
    """The terms from `hits` upwards, which fall: until they no longer count."""
    log_first = (
        math.lgamma(parts + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(parts - hits + 1)
        + hits * math.log(share)
        + (parts - hits) * math.log1p(-share)
    )
    term = total = 1.0
    odds = share / (1.0 - share)
    for count in range(hits, parts):
        term *= (parts - count) / (count + 1) * odds
        total += term
        if term < total * 1e-17:
            break
    return min(1.0, math.exp(log_first) * total)
