"""Where OK ends and NotOK begins, and how sure one may be of a rate."""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from parts import GOOD, LABELS

CLASS_LIMIT: Final = 0.5
"""A defect that is likelier than everything else together is a defect."""
RECHECKED_GOODS: Final = 0.03
"""The share of good parts that a person may have to look at: what `good_min` is set by."""


def choose_limits(scores: npt.NDArray[np.float32], kinds: npt.NDArray[np.int64]) -> dict[str, Any]:
    """From parts that were not learnt from: as strict on good parts as `RECHECKED_GOODS` allows."""
    goods = scores[kinds == GOOD, GOOD]
    good_min = max(CLASS_LIMIT, math.floor(float(np.quantile(goods, RECHECKED_GOODS)) * 100) / 100)
    return {"good_min": good_min, "per_class": {label: CLASS_LIMIT for label in LABELS if label != LABELS[GOOD]}}


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % confidence bounds of a rate of which `hits` were seen in `of`; (0, 1) of nothing."""
    if of == 0:
        return 0.0, 1.0
    z = 1.959964
    rate, square = hits / of, z * z
    middle = (rate + square / (2 * of)) / (1 + square / of)
    reach = z / (1 + square / of) * math.sqrt(rate * (1 - rate) / of + square / (4 * of * of))
    return max(0.0, middle - reach), min(1.0, middle + reach)
