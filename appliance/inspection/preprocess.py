"""From a frame to the model's input, exactly as the recipe or the model's own metadata says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from appliance.inspection.errors import FrameUnfit, RecipeError
from camera.frame import Frame, PixelFormat

Rectangle = tuple[int, int, int, int]
"""x, y, width, height in pixels of the frame; the origin is the upper left corner."""

RESIZE: Final[Mapping[str, int]] = {
    "area": cv2.INTER_AREA,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
}
"""How a region is brought to the model's size. It has to be the one the model was trained with: linear makes
thin scratches vanish that area keeps, and the two differ by up to 83 grey levels."""

_CHANNELS: Final = {"MONO8": 1, "RGB8": 3, "BGR8": 3}

_CONVERSIONS: Final = {
    (PixelFormat.MONO8, "RGB8"): cv2.COLOR_GRAY2RGB,
    (PixelFormat.MONO8, "BGR8"): cv2.COLOR_GRAY2BGR,
    (PixelFormat.BGR8, "RGB8"): cv2.COLOR_BGR2RGB,
    (PixelFormat.BGR8, "MONO8"): cv2.COLOR_BGR2GRAY,
    (PixelFormat.RGB8, "BGR8"): cv2.COLOR_RGB2BGR,
    (PixelFormat.RGB8, "MONO8"): cv2.COLOR_RGB2GRAY,
}


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
    regions: Mapping[str, Rectangle] | None = None
    """Name: rectangle. Every region is judged and all have to be OK. None: the whole frame."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one region."""
        return (self.height, self.width, _CHANNELS[self.color])

    @classmethod
    def from_metadata(cls, value: Mapping[str, Any]) -> "InputSpec":
        """Read `input` of a model's inspection.json. Raises: RecipeError naming the key that is missing or wrong."""
        try:
            regions = _regions(value)
            spec = cls(
                width=int(value["width"]),
                height=int(value["height"]),
                color=str(value["color"]),
                dtype=str(value["dtype"]),
                resize=str(value["resize"]),
                scale=float(value.get("scale", 1.0)),
                offset=float(value.get("offset", 0.0)),
                regions=regions,
            )
        except KeyError as error:
            raise RecipeError(
                f"The model's input does not say {error.args[0]!r}, and neither does the recipe; "
                f"set it under [recipe.input] ({', '.join(cls.__dataclass_fields__)})."
            ) from error
        except (TypeError, ValueError) as error:
            raise RecipeError(f"The model's input cannot be read: {error}.") from error
        spec.check()
        return spec

    def check(self) -> None:
        """Raises: RecipeError where a value is none that exists."""
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


class Preprocessor:
    """Crops, converts and resizes into one batch. Used by one thread; the batch is reused by the next call."""

    def __init__(self, spec: InputSpec) -> None:
        spec.check()
        self.spec = spec
        self.region_names: tuple[str | None, ...] = (None,)
        """One a row of the batch; None where there is only one region, which then needs no name."""
        if spec.regions and len(spec.regions) > 1:
            self.region_names = tuple(spec.regions)
        self._rectangles = tuple(spec.regions.values()) if spec.regions else (None,)
        self._batch = np.zeros((len(self._rectangles), *spec.shape), dtype=spec.dtype)

    def apply(self, frame: Frame) -> npt.NDArray[Any]:
        """One batch, (regions, height, width, channels), of a frame whose status is OK; one resize a region.

        The pixels are cropped first and converted at the small size, where it is cheap.
        Raises: FrameUnfit where a region lies outside the frame.
        """
        pixels = frame.pixels
        if pixels is None:
            raise FrameUnfit("The frame has no pixels.")
        for index, rectangle in enumerate(self._rectangles):
            self._fill(self._batch[index], self._crop(pixels, rectangle), frame.pixel_format)
        return self._batch

    def _crop(self, pixels: npt.NDArray[np.uint8], rectangle: Rectangle | None) -> npt.NDArray[np.uint8]:
        if rectangle is None:
            return pixels
        x, y, width, height = rectangle
        if x + width > pixels.shape[1] or y + height > pixels.shape[0]:
            raise FrameUnfit(
                f"The region {list(rectangle)} reaches beyond the picture of "
                f"{pixels.shape[1]}x{pixels.shape[0]} pixels; change the region or the camera's size."
            )
        return pixels[y : y + height, x : x + width]

    def _fill(self, target: npt.NDArray[Any], crop: npt.NDArray[np.uint8], pixel_format: PixelFormat) -> None:
        spec = self.spec
        if crop.shape[:2] != (spec.height, spec.width):
            crop = cv2.resize(crop, (spec.width, spec.height), interpolation=RESIZE[spec.resize])  # type: ignore[assignment]
        conversion = _CONVERSIONS.get((pixel_format, spec.color))
        if conversion is not None:
            crop = cv2.cvtColor(crop, conversion)  # type: ignore[assignment]
        crop = crop.reshape(spec.shape)
        if spec.dtype == "uint8":
            np.copyto(target, crop)
        else:
            np.multiply(crop, np.float32(spec.scale), out=target, casting="unsafe")
            if spec.offset:
                target += np.float32(spec.offset)


def _regions(value: Mapping[str, Any]) -> Mapping[str, Rectangle] | None:
    regions = value.get("regions")
    if regions is None:
        roi = value.get("roi")
        regions = {"roi": roi} if roi is not None else None
    if regions is None:
        return None
    if not regions:
        raise RecipeError("input.regions is empty; leave it out to judge the whole picture.")
    return {str(name): _rectangle(str(name), four) for name, four in regions.items()}


def _rectangle(name: str, four: Any) -> Rectangle:
    if (
        not isinstance(four, list | tuple)
        or len(four) != 4
        or not all(isinstance(one, int) and one >= 0 for one in four)
        or four[2] == 0
        or four[3] == 0
    ):
        raise RecipeError(f"The region {name!r} is {four!r}; it has to be [x, y, width, height] in whole pixels.")
    return (four[0], four[1], four[2], four[3])
