"""What the operator's file may say of what the model sees."""

from pydantic import BaseModel, Field

Corner = tuple[float, float]


class PerspectiveConfig(BaseModel, extra="forbid", frozen=True):
    """A part that lies slanted or is seen from the side, made upright."""

    corners: tuple[Corner, Corner, Corner, Corner] = Field(
        description="the part's upper left, upper right, lower right and lower left corner in the picture: [x, y] each"
    )
    width: int = Field(ge=2, le=16384, description="width of the upright picture, pixels")
    height: int = Field(ge=2, le=16384, description="height of the upright picture, pixels")


class TilesConfig(BaseModel, extra="forbid", frozen=True):
    """For small defects: each region is seen in pieces and not shrunk as a whole."""

    width: int = Field(ge=1, le=16384, description="width of a tile in the part's picture, pixels")
    height: int = Field(ge=1, le=16384, description="height of a tile, pixels")
    overlap: int = Field(default=0, ge=0, le=16383, description="pixels that neighbours share at least")


class InputConfig(BaseModel, extra="forbid", frozen=True):
    """What the model sees. Everything left out is taken from the model's own metadata; nothing is guessed."""

    roi: tuple[int, int, int, int] | None = Field(
        default=None, description="where the part is in the picture: [x, y, width, height] in pixels"
    )
    perspective: PerspectiveConfig | None = Field(
        default=None, description="instead of roi, where the part is not upright: its four corners"
    )
    regions: dict[str, tuple[int, int, int, int]] | None = Field(
        default=None,
        description="several named regions of the part's picture, each [x, y, width, height]; all have to be OK",
    )
    tiles: TilesConfig | None = Field(default=None, description="see each region in tiles; all have to be OK")
    width: int | None = Field(default=None, ge=1, le=8192, description="the model's input width, pixels")
    height: int | None = Field(default=None, ge=1, le=8192, description="the model's input height, pixels")
    color: str | None = Field(default=None, description="order of the channels: MONO8, RGB8 or BGR8")
    dtype: str | None = Field(default=None, description="uint8, or float32 for pixel * scale + offset")
    resize: str | None = Field(default=None, description="area, linear, cubic or nearest, as in training")
    scale: float | None = Field(default=None, description="for float32: factor on each pixel")
    offset: float | None = Field(default=None, description="for float32: added after the factor")
