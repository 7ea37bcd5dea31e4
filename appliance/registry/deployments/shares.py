"""Shares of parts, judged while they come: a limit of 2 % is not broken by one of the first two."""

from typing import Final

from appliance.binomial import tail

FALSE_ALARM: Final = 0.01
"""The chance that a candidate whose true share is at its limit is stopped early, over all looks together."""


def is_above(hits: int, parts: int, limit: float) -> bool:
    """Whether `hits` of `parts` show that the true share lies above `limit`, however often one looks.

    The same as: the exact (Clopper-Pearson) lower bound of the share is above the limit. Whoever looks after each part
    would stop every candidate some day, so the chance of a false alarm is spent: FALSE_ALARM / (n (n + 1)) after n
    parts, which sums to FALSE_ALARM over all n (Boole's inequality). Hence 1 of 2 proves nothing at 2 %; 6 of 20 do.
    A limit of 0 allows none: the first is above it.
    """
    if parts <= 0:
        return False
    return tail(hits, parts, limit) < FALSE_ALARM / (parts * (parts + 1))
