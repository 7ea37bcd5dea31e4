"""Shares of parts, judged exactly: few parts prove little, and a limit of 2 % is not broken by one of the first two."""

import math
from typing import Final

FALSE_ALARM: Final = 0.01
"""The chance that a candidate whose true share is at its limit is stopped early, over all looks together."""
_CONFIDENCE: Final = 0.95


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


def is_above(hits: int, parts: int, limit: float) -> bool:
    """Whether `hits` of `parts` show that the true share lies above `limit`, however often one looks.

    The same as: the exact (Clopper-Pearson) lower bound of the share is above the limit. Whoever looks after each part
    would stop every candidate some day, so the chance of a false alarm is spent: FALSE_ALARM / (n (n + 1)) after n
    parts, which sums to FALSE_ALARM over all n (Boole's inequality). Hence 1 of 2 proves nothing at 2 %; 6 of 20 do.
    A limit of 0 allows none: the first is above it.

    Source: Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934); NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.4.1.
    """
    if parts <= 0:
        return False
    return tail(hits, parts, limit) < FALSE_ALARM / (parts * (parts + 1))


def upper_bound(hits: int, parts: int) -> float:
    """The share that `hits` of `parts` are still likely under: Clopper-Pearson, one-sided, 95 %. 1 for no parts."""
    if hits >= parts:
        return 1.0
    low, high = hits / parts, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        at_most = 1.0 - tail(hits + 1, parts, middle)
        low, high = (middle, high) if at_most > 1.0 - _CONFIDENCE else (low, middle)
    return high


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
