"""What is measured of a picture before anybody judges it: brightness, contrast, sharpness, and a coarse likeness."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from camera.frame import PixelFormat

Pixels = npt.NDArray[np.uint8]
Cells = npt.NDArray[np.float32]
Rectangle = tuple[int, int, int, int]
"""x, y, width, height in pixels of the frame; the origin is the upper left corner."""

BLACK: Final = 5
BLOWN_OUT: Final = 250
"""Grey levels at and beyond which a pixel tells nothing."""
_FINE_PX: Final = 1024
"""The picture is halved until its longer side has at most so many pixels. Halving is a mean of 2 x 2, for which OpenCV
has a fast path (0.07 ms at 1920 x 1200; any other factor takes ten times as long), and it takes most of the sensor's
noise with it, which at full size is half of what the Laplacian sees."""
_COARSE_PX: Final = 128
_GREY: Final = {PixelFormat.BGR8: cv2.COLOR_BGR2GRAY, PixelFormat.RGB8: cv2.COLOR_RGB2GRAY}


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """Of one picture, or of the region that was asked for. Colour counts as its luminance."""

    brightness: float
    """Mean, grey levels 0..255."""
    contrast: float
    """Standard deviation, grey levels."""
    black: float
    """Share of pixels that are black, 0..1."""
    blown_out: float
    """Share of pixels that are blown out, 0..1."""
    sharpness: float
    """Variance of the Laplacian, in ten thousandths of the picture's own variance: a lamp that gets weaker changes it
    little, a lens that loses focus halves it. Only pictures of the same scene compare."""
    cells: Cells | None
    """(rows, columns): mean grey level of each cell of the grid; None where no grid was asked for."""


class Measurer:
    """Measures one picture after the other. Used by one thread; keeps its buffers, so nothing large is allocated.

    Cost: 0.4 ms at 1920 x 1200 grey, 1.0 ms colour, on one thread (tests/benchmarks/bench_quality.py).
    """

    def __init__(self, region: Rectangle | None = None, grid: tuple[int, int] | None = None) -> None:
        """`region`: None measures the whole picture; `grid`: (rows, columns) of the cells."""
        self._region = region
        self._grid = grid
        self._laplacian = np.empty((0, 0), np.int16)
        self._mask = np.empty((0, 0), np.uint8)

    def measure(self, pixels: Pixels, pixel_format: PixelFormat) -> Measures:
        """`pixels`: (height, width) or (height, width, 3); the region has to lie within."""
        fine = self._fine(pixels, pixel_format)
        if self._mask.shape != fine.shape:
            self._laplacian, self._mask = np.empty(fine.shape, np.int16), np.empty(fine.shape, np.uint8)
        mean, deviation = (float(one[0, 0]) for one in cv2.meanStdDev(fine))
        cv2.Laplacian(fine, cv2.CV_16S, dst=self._laplacian)
        edges = float(cv2.norm(self._laplacian, cv2.NORM_L2SQR)) / fine.size
        return Measures(
            brightness=mean,
            contrast=deviation,
            black=self._share(fine, BLACK, cv2.CMP_LE),
            blown_out=self._share(fine, BLOWN_OUT, cv2.CMP_GE),
            sharpness=1e4 * edges / max(deviation**2, 1.0),
            cells=None if self._grid is None else _cells(fine, self._grid),
        )

    def _fine(self, pixels: Pixels, pixel_format: PixelFormat) -> Pixels:
        """Grey, reduced. The mean of 2 x 2 pixels is also what makes luminance of a colour filter's mosaic."""
        picture = pixels
        if self._region is not None:
            x, y, width, height = self._region
            picture = pixels[y : y + height, x : x + width]
        if "Bayer" in pixel_format.value:
            picture = _halved(picture)
        while max(picture.shape[:2]) > _FINE_PX and min(picture.shape[:2]) > 2:
            picture = _halved(picture)
        if pixel_format in _GREY:
            picture = np.asarray(cv2.cvtColor(picture, _GREY[pixel_format]), dtype=np.uint8)
        return picture

    def _share(self, fine: Pixels, level: int, comparison: int) -> float:
        cv2.compare(fine, level, comparison, dst=self._mask)  # type: ignore[call-overload]  # a number is as good
        return cv2.countNonZero(self._mask) / fine.size


def _halved(picture: Pixels) -> Pixels:
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    even = picture[: 2 * rows, : 2 * columns]
    return np.asarray(cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _cells(fine: Pixels, grid: tuple[int, int]) -> Cells:
    while max(fine.shape) > _COARSE_PX and min(fine.shape) > 2 * max(grid):
        fine = _halved(fine)
    rows, columns = grid
    return np.asarray(
        cv2.resize(fine.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.float32
    )
