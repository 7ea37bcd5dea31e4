"""Pieces of a region, so that a small defect is not shrunk away with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from appliance.inspection.errors import RecipeError
from appliance.inspection.preprocess.rectangle import Rectangle


@dataclass(frozen=True, slots=True)
class Tiles:
    """Size and overlap, in pixels of the part's picture."""

    width: int
    height: int
    overlap: int = 0
    """What neighbours share at least: as much as the largest defect that one tile alone has to show whole."""

    @classmethod
    def from_metadata(cls, value: Any) -> "Tiles":
        """Raises: RecipeError."""
        if not isinstance(value, Mapping) or not {"width", "height"} <= value.keys() <= {"width", "height", "overlap"}:
            raise _unreadable(value)
        sides: list[Any] = [value["width"], value["height"], value.get("overlap", 0)]
        if not all(isinstance(side, int) and not isinstance(side, bool) and 0 <= side <= 16384 for side in sides):
            raise _unreadable(value)
        tiles = cls(*sides)
        if not tiles.overlap < min(tiles.width, tiles.height):
            raise RecipeError(
                f"input.tiles.overlap is {tiles.overlap}; it has to be smaller than a tile "
                f"({tiles.width}x{tiles.height})."
            )
        return tiles

    def count(self, region: Rectangle) -> int:
        """How many cover the region."""
        return _count(region[2], self.width, self.overlap) * _count(region[3], self.height, self.overlap)

    def cover(self, region: Rectangle) -> Iterator[tuple[str, Rectangle]]:
        """Each tile's name and place: all of the region, evenly, row by row, as few as the overlap allows."""
        x, y, width, height = region
        for row, top in enumerate(_starts(height, self.height, self.overlap), 1):
            for column, left in enumerate(_starts(width, self.width, self.overlap), 1):
                yield f"r{row}c{column}", (x + left, y + top, self.width, self.height)


def _unreadable(value: Any) -> RecipeError:
    return RecipeError(f"input.tiles is {value!r}; it has to be {{width, height, overlap}} in whole pixels.")


def _count(length: int, size: int, overlap: int) -> int:
    return max(1, ceil((length - overlap) / (size - overlap)))


def _starts(length: int, size: int, overlap: int) -> list[int]:
    count = _count(length, size, overlap)
    return [0] if count == 1 else [index * (length - size) // (count - 1) for index in range(count)]
