"""What the model wants to see: a value, read from the model's metadata or the recipe, and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2

from appliance.inspection.errors import RecipeError
from appliance.inspection.preprocess.perspective import Perspective
from appliance.inspection.preprocess.rectangle import Rectangle, holds, rectangle_of
from appliance.inspection.preprocess.tiles import Tiles

RESIZE: Final[Mapping[str, int]] = {
    "area": cv2.INTER_AREA,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
}
"""How a region is brought to the model's size. It has to be the one the model was trained with: linear makes
thin scratches vanish that area keeps, and the two differ by up to 83 grey levels. `area` and `linear` are
tf.image.resize's `area` and `bilinear` to within a grey level."""

PLACE: Final = ("roi", "perspective", "regions")
"""Keys that say where the part is; they belong to a station as much as to a model."""

_CHANNELS: Final = {"MONO8": 1, "RGB8": 3, "BGR8": 3}
_BATCH_MAX_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Window:
    """What one row of the batch shows."""

    name: str | None
    """For people: `left`, `r2c3`, `left/r2c3`; None where the model sees the part whole."""
    region: str | None
    """The region, where people have named any."""
    rectangle: Rectangle | None
    """Of the part's picture; None: all of it."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What the model wants to see. Comes from the model's metadata, or from the recipe where it says otherwise."""

    width: int
    height: int
    color: str
    """MONO8, RGB8 or BGR8: the order of the channels in the tensor."""
    dtype: str
    """uint8 (pixels as they are) or float32 (pixel * scale + offset)."""
    resize: str
    """A key of `RESIZE`."""
    scale: float = 1.0
    offset: float = 0.0
    roi: Rectangle | None = None
    """Of the frame: where the part is. None: the whole frame, or `perspective`."""
    perspective: Perspective | None = None
    regions: Mapping[str, Rectangle] | None = None
    """Name: rectangle of the part's picture. Every region is judged and all have to be OK."""
    tiles: Tiles | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one row."""
        return (self.height, self.width, _CHANNELS[self.color])

    @property
    def part_size(self) -> tuple[int, int] | None:
        """(width, height) of the part's picture; None where the frame decides."""
        if self.perspective is not None:
            return (self.perspective.width, self.perspective.height)
        return None if self.roi is None else self.roi[2:]

    def uncut(self) -> "InputSpec":
        """The same for pictures that were cut already: resized, converted, one row."""
        return replace(self, roi=None, perspective=None, regions=None, tiles=None)

    def windows(self) -> tuple[Window, ...]:
        """One a row of the batch: regions in their order, and in each its tiles, row by row. Raises: RecipeError."""
        size = self.part_size
        places: list[tuple[str | None, Rectangle]]
        if self.regions is not None:
            places = [*self.regions.items()]
        elif size is not None and self.tiles is not None:
            places = [(None, (0, 0, *size))]
        else:
            return (Window(None, None, None),)
        if self.tiles is None:
            return tuple(Window(name, name, rectangle) for name, rectangle in places)
        return tuple(
            Window(tile if name is None else f"{name}/{tile}", name, place)
            for name, rectangle in places
            for tile, place in self.tiles.cover(rectangle)
        )

    @classmethod
    def from_metadata(cls, value: Mapping[str, Any]) -> "InputSpec":
        """Read `input` of a model's inspection.json. Raises: RecipeError naming the key that is missing or wrong."""
        try:
            spec = cls(
                width=int(value["width"]),
                height=int(value["height"]),
                color=str(value["color"]),
                dtype=str(value["dtype"]),
                resize=str(value["resize"]),
                scale=float(value.get("scale", 1.0)),
                offset=float(value.get("offset", 0.0)),
                roi=None if value.get("roi") is None else rectangle_of("input.roi", value["roi"]),
                perspective=None
                if value.get("perspective") is None
                else Perspective.from_metadata(value["perspective"]),
                regions=_regions(value.get("regions")),
                tiles=None if value.get("tiles") is None else Tiles.from_metadata(value["tiles"]),
            )
        except KeyError as error:
            raise RecipeError(
                f"The model's input does not say {error.args[0]!r}, and neither does the recipe; "
                f"set it under [recipe.input] ({', '.join(cls.__dataclass_fields__)})."
            ) from error
        except (TypeError, ValueError, AttributeError) as error:
            raise RecipeError(f"The model's input cannot be read: {error}.") from error
        spec.check()
        return spec

    def check(self) -> None:
        """Raises: RecipeError where a value is none that exists, or two cannot be meant together."""
        for name, value, known in (
            ("color", self.color, list(_CHANNELS)),
            ("dtype", self.dtype, ["uint8", "float32"]),
            ("resize", self.resize, list(RESIZE)),
        ):
            if value not in known:
                raise RecipeError(f"input.{name} is {value!r}; it has to be one of {', '.join(known)}.")
        if not (0 < self.width <= 8192 and 0 < self.height <= 8192):
            raise RecipeError(f"The model's input is {self.width}x{self.height}; each side has to be in 1..8192.")
        if self.dtype == "uint8" and (self.scale, self.offset) != (1.0, 0.0):
            raise RecipeError("input.scale and input.offset need dtype float32; a uint8 model scales inside.")
        self._check_place()
        self._check_tiles()

    def _check_place(self) -> None:
        if self.roi is not None and self.perspective is not None:
            raise RecipeError(
                "input.roi and input.perspective both say where the part is; keep roi for a part that is upright in "
                "the picture, or perspective with its four corners."
            )
        size = self.part_size
        for name, rectangle in (self.regions or {}).items():
            if "/" in name or not name.strip():
                raise RecipeError(f"A region is called {name!r}; names are not empty and have no '/'.")
            if size is not None and not holds(size, rectangle):
                raise RecipeError(
                    f"The region {name!r} {list(rectangle)} reaches beyond the part's picture of {size[0]}x{size[1]} "
                    "pixels; regions are counted from the upper left corner of roi or perspective."
                )

    def _check_tiles(self) -> None:
        tiles, size = self.tiles, self.part_size
        if tiles is None:
            return
        if size is None and self.regions is None:
            raise RecipeError("input.tiles needs roi, perspective or regions: the area that the tiles shall cover.")
        areas = self.regions or {"roi": (0, 0, *(size or (0, 0)))}
        for name, area in areas.items():
            if tiles.width > area[2] or tiles.height > area[3]:
                raise RecipeError(
                    f"input.tiles are {tiles.width}x{tiles.height}, and {name!r} is only {area[2]}x{area[3]} pixels; "
                    "make the tiles smaller or the region larger."
                )
        rows = sum(map(tiles.count, areas.values()))
        height, width, channels = self.shape
        needed = rows * height * width * channels * (1 if self.dtype == "uint8" else 4)
        if needed > _BATCH_MAX_BYTES:
            raise RecipeError(
                f"input.tiles makes {rows} tiles a part, {needed >> 20} MB for the model, and "
                f"{_BATCH_MAX_BYTES >> 20} MB are allowed; make the tiles larger."
            )


def _regions(value: Any) -> Mapping[str, Rectangle] | None:
    if value is None:
        return None
    if not value:
        raise RecipeError("input.regions is empty; leave it out to judge the whole picture.")
    return {str(name): rectangle_of(f"The region {name!r}", four) for name, four in value.items()}
