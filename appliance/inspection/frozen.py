"""Finds a camera that sends the same picture again and again."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from camera.frame import Frame

_EVERY_ROW: Final = 16
"""Rows compared to the last bit: one in so many. A live sensor's noise makes a sixteenth of two pictures differ too."""
_HALVINGS: Final = 3
_ALIKE: Final = 4
"""Grey levels by which no cell of 8 x 8 pixels differs where an encoder has shown one picture twice. Measured with
x264 at 1 and 4 Mbit/s: at most 3, at each key frame; two parts a pixel apart differ by tens along their edges."""


class FrozenDetector:
    """Remembers the last picture. Used by one thread; 0.02 ms at 1920x1200; behind an encoder 0.7 ms, in colour."""

    def __init__(self, *, is_lossy: bool = False) -> None:
        """`is_lossy`: the pictures come through a video encoder (RTSP).

        Behind one, a frozen sensor's pictures are hardly ever equal: only 2 to 16 % of the pairs were. There, alike
        counts as equal; and a live camera above a scene where nothing at all moves then counts as frozen as well.
        """
        self._is_lossy = is_lossy
        self._last: npt.NDArray[np.uint8] | None = None

    def is_repeat(self, frame: Frame) -> bool:
        """Whether this picture shows what the one before it showed: to the last bit, or to what an encoder adds."""
        if frame.pixels is None:
            return False
        kept = _reduced(frame.pixels) if self._is_lossy else frame.pixels[::_EVERY_ROW].copy()
        last, self._last = self._last, kept
        if last is None or last.shape != kept.shape:
            return False
        return bool(cv2.absdiff(last, kept).max() <= _ALIKE) if self._is_lossy else bool(np.array_equal(last, kept))

    def forget(self) -> None:
        """The camera was opened anew: the next picture has none before it."""
        self._last = None


def _reduced(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Means of 8 x 8 pixels; the picture itself, where it is too small for that."""
    reduced = pixels
    for _ in range(_HALVINGS):
        rows, columns = reduced.shape[0] // 2, reduced.shape[1] // 2
        if min(rows, columns) < 1:
            break
        even = reduced[: 2 * rows, : 2 * columns]
        reduced = np.asarray(cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return reduced.copy() if reduced is pixels else reduced
