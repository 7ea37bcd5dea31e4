"""From measures of good pictures to limits: the rule, and what so many pictures can show of it. No I/O."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from appliance.inspection.measure import Measures
from appliance.inspection.quality import Bounds, QualityConfig, judge

_Values = npt.NDArray[np.float64]

LEAST_PICTURES: Final = 20
"""Fewer show next to nothing of how good pictures differ."""
_DEVIATIONS: Final = 5.0
"""Robust standard deviations from the median to the limit."""
_BEYOND: Final = 0.5
"""And at least so many beyond the outermost good picture."""
_FIFTH_PERCENT: Final = 1.645
"""Standard deviations from the median to the 5 % quantile of a bell curve."""
_CELL_QUANTILE: Final = 0.005
_CELL_ROOM: Final = (2.0, 0.1)
"""Grey levels, and share of what the cell was in good pictures, that its bounds are wider."""
_OUTSIDE_ROOM: Final = (0.5, 1.5)
"""Grey levels, and times the most that a good picture lay outside bounds it had no part in."""
_FOLDS: Final = 5
_TOO_WIDE: Final = 0.5
"""A lower limit below so much of the median keeps little out."""
_BLOWN_OUT: Final = 0.02
_DARK: Final = 25.0
_LEAST: Final = 0.01


@dataclass(frozen=True, slots=True)
class _Rule:
    """One measure and its limits."""

    measure: str
    low: str | None
    """Key of its lower limit in the recipe."""
    high: str | None
    room: tuple[float, float]
    """Least room from the median to a limit: absolute (of factors their logarithm: 0.16 is 15 %, 0.22 is 20 %), and
    share of the median. A lamp ages, a lens is cleaned."""
    digits: int
    top: float
    is_factor: bool = False
    """It varies by factors, as what light or focus multiplies does: the rule is for its logarithm. On real photographs
    of varying light the sharpness went over a decade, and five deviations below the median was less than nothing."""


_RULES: Final = (
    _Rule("brightness", "min_brightness", "max_brightness", (3.0, 0.1), 1, 254.0),
    _Rule("contrast", "min_contrast", None, (0.16, 0.0), 1, 254.0, is_factor=True),
    _Rule("black", None, "max_black", (0.01, 0.0), 4, 0.99),
    _Rule("blown_out", None, "max_blown_out", (0.01, 0.0), 4, 0.99),
    _Rule("sharpness", "min_sharpness", None, (0.22, 0.0), 1, 1e6, is_factor=True),
)


@dataclass(frozen=True, slots=True)
class Learnt:
    """Limits, and how good pictures met them."""

    values: Mapping[str, Any]
    """Keys of [recipes.NAME.quality] with their values; None: this measure gets no limit."""
    outside: tuple[float, ...]
    """How far each picture's cells lay outside bounds learnt without it, grey levels."""
    rejected: tuple[int, ...]
    """The pictures, by number from 0, that limits learnt without them would have rejected."""
    warnings: tuple[str, ...]


def learn(pictures: Sequence[Measures]) -> Learnt:
    """From at least LEAST_PICTURES measures, all with cells of one grid. Milliseconds.

    The rule: a limit lies five standard deviations from the median, half of one beyond the outermost good picture, and
    a least room away, whichever is furthest. The deviation is a robust one, of its side alone: the distance from the
    median to the 5 % (95 %) quantile, over 1.645; so one odd picture does not widen it, and a lopsided measure is not
    taken for a bell; contrast and sharpness are taken by their logarithms. The odd picture itself is still within the
    limits, for somebody says that it is good; it is named. A cell's bounds are its 0.5 % and 99.5 % quantiles with a
    little room; how far pictures lie outside is tried on pictures that had no part in the bounds, and half as much
    again is allowed.
    """
    outside, rejected = _tried(pictures)
    values = _limits(pictures, outside)
    return Learnt(values, outside, rejected, tuple(_warnings(pictures, values)))


def _tried(pictures: Sequence[Measures]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Each fifth of the pictures against limits from the others."""
    outside = np.zeros(len(pictures))
    folds = [list(range(first, len(pictures), _FOLDS)) for first in range(_FOLDS)]
    for fold in folds:
        bounds = _bounds([one for number, one in enumerate(pictures) if number not in fold])
        outside[fold] = [_outside(bounds, pictures[number]) for number in fold]
    rejected: list[int] = []
    for fold in folds:
        others = [number for number in range(len(pictures)) if number not in fold]
        values = _limits([pictures[number] for number in others], outside[others])
        config = QualityConfig.model_validate({key: one for key, one in values.items() if one is not None})
        bounds = Bounds.of(config)
        rejected += [number for number in fold if judge(pictures[number], config, bounds) is not None]
    return tuple(outside.tolist()), tuple(sorted(rejected))


def _limits(pictures: Sequence[Measures], outside: Sequence[float] | _Values) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for rule in _RULES:
        seen = np.array([getattr(one, rule.measure) for one in pictures])
        if rule.low is not None and rule.is_factor:
            values[rule.low] = _rounded(math.exp(-_upper(-np.log(np.maximum(seen, _LEAST)), rule)), rule)
        elif rule.low is not None:
            values[rule.low] = _rounded(-_upper(-seen, rule), rule)
        if rule.high is not None:
            values[rule.high] = _rounded(_upper(seen, rule), rule)
    bounds = _bounds(pictures)
    at_least, times = _OUTSIDE_ROOM
    values["cells_low"] = _grid(np.floor(bounds.low))
    values["cells_high"] = _grid(np.ceil(bounds.high))
    values["max_outside"] = round(max(outside) * times + at_least, 2)
    return values


def _upper(seen: _Values, rule: _Rule) -> float:
    """The limit above; for the one below, everything is turned round."""
    median = float(np.median(seen))
    deviation = (float(np.quantile(seen, 0.95)) - median) / _FIFTH_PERCENT
    least = max(rule.room[0], rule.room[1] * abs(median))
    return max(median + _DEVIATIONS * deviation, float(seen.max()) + _BEYOND * deviation, median + least)


def _rounded(limit: float, rule: _Rule) -> float | None:
    """None for a limit that nothing could break."""
    return round(limit, rule.digits) if 0 < limit < rule.top else None


def _bounds(pictures: Sequence[Measures]) -> Bounds:
    cells = np.stack([one.cells for one in pictures if one.cells is not None])
    low, high = np.quantile(cells, [_CELL_QUANTILE, 1 - _CELL_QUANTILE], axis=0)
    room = _CELL_ROOM[0] + _CELL_ROOM[1] * (high - low)
    return Bounds(np.clip(low - room, 0, 255).astype(np.float32), np.clip(high + room, 0, 255).astype(np.float32))


def _outside(bounds: Bounds, picture: Measures) -> float:
    return 0.0 if picture.cells is None else bounds.outside(picture.cells)


def _grid(cells: npt.NDArray[np.floating[Any]]) -> list[list[int]]:
    return [[int(one) for one in row] for row in cells]


def _warnings(pictures: Sequence[Measures], values: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    medians = {rule.measure: float(np.median([getattr(one, rule.measure) for one in pictures])) for rule in _RULES}
    if medians["blown_out"] > _BLOWN_OUT:
        found.append(
            f"{medians['blown_out']:.1%} of the picture is blown out already in half of the pictures: nothing can be "
            "seen there. Shorten the exposure or take reflections away, and learn again."
        )
    if medians["brightness"] < _DARK:
        found.append(
            f"The pictures are dark: their mean grey level is {medians['brightness']:.0f} of 255. "
            "Give more light or a longer exposure, and learn again."
        )
    for rule in _RULES:
        limit = values[rule.low] if rule.low is not None else medians[rule.measure]
        if limit is None or limit < _TOO_WIDE * medians[rule.measure]:
            found.append(
                f"The pictures vary too much in {rule.measure}: what keeps all of them keeps much else. Look whether "
                "they are all good, and whether light and camera are steady (exposure and gain not automatic)."
            )
    return found
