"""Rectangles of a picture."""

from typing import Any, TypeAlias

from appliance.inspection.errors import RecipeError

Rectangle: TypeAlias = tuple[int, int, int, int]
"""x, y, width, height in whole pixels; the origin is the upper left corner."""


def rectangle_of(name: str, four: Any) -> Rectangle:
    """As metadata and recipes have it. Raises: RecipeError."""
    if not isinstance(four, list | tuple) or len(four) != 4 or not all(map(_is_whole, four)) or 0 in four[2:]:
        raise RecipeError(f"{name} is {four!r}; it has to be [x, y, width, height] in whole pixels.")
    return (four[0], four[1], four[2], four[3])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def holds(size: tuple[int, int], rectangle: Rectangle) -> bool:
    """Whether a picture of `size`, (width, height), has all of it."""
    x, y, width, height = rectangle
    return x + width <= size[0] and y + height <= size[1]
