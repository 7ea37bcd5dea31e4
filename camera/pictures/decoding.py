"""From the bytes of a picture file to the right pixels, or to a sentence why there are none.

The rules: the first picture of a file counts. EXIF's orientation is applied. Transparency is laid over black: where
nothing reflects, a camera sees nothing. 16 bits per channel become 8 by dropping the lower bits in use. CMYK becomes
BGR without a colour profile. Colour becomes grey as ITU-R BT.601 weighs it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from camera.frame import PixelFormat
from camera.pictures import bmp, jpeg, png, tiff, webp
from camera.pictures.header import Header, corrupt, incomplete

Pixels = npt.NDArray[np.uint8]

READERS: Final[tuple[tuple[bytes, Callable[[bytes], Header]], ...]] = (
    (png.MAGIC, png.read_png),
    (jpeg.MAGIC, jpeg.read_jpeg),
    (webp.MAGIC, webp.read_webp),
    (bmp.MAGIC, bmp.read_bmp),
    (tiff.LITTLE, tiff.read_tiff),
    (tiff.BIG, tiff.read_tiff),
)
"""How the file begins -> who reads on; the file's name says nothing."""

_AS_SEEN: Final = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
"""Colours right (CMYK, palettes), EXIF's orientation applied, transparency ignored, 16 bits kept."""

_TURNS: Final[dict[int, tuple[int | None, int | None]]] = {
    1: (None, None),
    2: (None, 1),
    3: (cv2.ROTATE_180, None),
    4: (None, 0),
    5: (cv2.ROTATE_90_CLOCKWISE, 1),
    6: (cv2.ROTATE_90_CLOCKWISE, None),
    7: (cv2.ROTATE_90_COUNTERCLOCKWISE, 1),
    8: (cv2.ROTATE_90_COUNTERCLOCKWISE, None),
}
"""EXIF orientation -> turn first, then mirror, as cv2.rotate and cv2.flip name them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is decoded, and how."""

    picture_max_px: int = 50_000_000
    significant_bits: int = 16
    """Bits in use in a file with 16 bits per channel."""


def decode(
    data: bytes,
    limits: Limits = Limits(),
    wanted: PixelFormat | None = None,
) -> tuple[Pixels, PixelFormat]:
    """The picture, MONO8 or BGR8: as wanted, or as the file is. Raises UnreadablePicture.

    Cost: OpenCV's, some 10 ms per million pixels, without the GIL.
    """
    header = read_header(data)
    if header.width < 1 or header.height < 1:
        corrupt(f"it is said to be {header.width} x {header.height} pixels large")
    if header.width * header.height > limits.picture_max_px:
        corrupt(f"it has {header.width} x {header.height} pixels, and picture_max_px allows {limits.picture_max_px}")
    picture = _with_alpha_over_black(data, header) if header.has_alpha else _opened(data, header, _AS_SEEN)
    pixels = _eight_bits(picture, limits.significant_bits)
    if header.kind == "JPEG" and _runs_dry(data, header, pixels):
        incomplete("its JPEG data end before the picture does")
    return _as_wanted(pixels, wanted)


def read_header(data: bytes) -> Header:
    """What the file says about itself, all of it being there. Raises UnreadablePicture."""
    if not data:
        incomplete("the file is empty")
    for magic, read in READERS:
        if data.startswith(magic):
            return read(data)
    return corrupt(f"it begins with {data[:8]!r}, which no PNG, JPEG, WebP, BMP or TIFF file does")


def _opened(data: bytes, header: Header, flags: int) -> MatLike:
    try:
        # Typed as never None, and None is what OpenCV gives for most broken files.
        picture: MatLike | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        corrupt(f"it is a {header.kind} file that cannot be decoded ({error.err})")
    if picture is None:
        corrupt(f"it is a {header.kind} file that is damaged within its data")
    return picture


def _with_alpha_over_black(data: bytes, header: Header) -> MatLike:
    # OpenCV turns a picture as EXIF says only where it drops the transparency, so here it is turned by hand.
    picture = _opened(data, header, cv2.IMREAD_UNCHANGED)
    if picture.ndim != 3 or picture.shape[2] != 4:
        corrupt(f"it is a {header.kind} file whose transparency cannot be read")
    *colors, alpha = cv2.split(picture)
    full = 255 if picture.dtype == np.uint8 else 65535
    flat: MatLike = cv2.merge([cv2.multiply(color, alpha, scale=1 / full) for color in colors])
    turn, mirror = _TURNS[header.orientation]
    if turn is not None:
        flat = cv2.rotate(flat, turn)
    return flat if mirror is None else cv2.flip(flat, mirror)


def _eight_bits(picture: MatLike, significant_bits: int) -> Pixels:
    if picture.dtype == np.uint8:
        return np.ascontiguousarray(picture, dtype=np.uint8)
    if picture.dtype != np.uint16:
        corrupt(f"its pixels are {picture.dtype} numbers; 8 or 16 bits without sign are read")
    largest = int(picture.max())
    if largest >> significant_bits:
        corrupt(f"it holds the value {largest}, and significant_bits = {significant_bits} ends before that")
    return np.asarray(np.right_shift(picture, significant_bits - 8, dtype=np.uint16), dtype=np.uint8)


def _runs_dry(data: bytes, header: Header, pixels: Pixels) -> bool:
    """Whether a JPEG's data end too early, behind an end marker that somebody put there.

    The decoder says nothing and fills the rest with flat blocks, so one corner is flat. Whether it is flat by
    right shows with other bytes in place of the end: a whole picture has no use for them. What this cannot see is
    a progressive JPEG without its last scans, and bits that flipped and still decode.
    """
    corners = (pixels[rows, columns] for rows in (slice(8), slice(-8, None)) for columns in (slice(8), slice(-8, None)))
    if not any(np.ptp(corner.reshape(-1, *corner.shape[2:]), axis=0).max() == 0 for corner in corners):
        return False
    filled = data[: header.data_end] + bytes(range(1, 255)) * 4 + data[header.data_end :]
    return not np.array_equal(pixels, _opened(filled, header, _AS_SEEN))


def _as_wanted(pixels: Pixels, wanted: PixelFormat | None) -> tuple[Pixels, PixelFormat]:
    is_gray = pixels.ndim == 2
    wanted = wanted or (PixelFormat.MONO8 if is_gray else PixelFormat.BGR8)
    if wanted is PixelFormat.MONO8 and not is_gray:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), dtype=np.uint8), wanted
    if wanted is PixelFormat.BGR8 and is_gray:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), dtype=np.uint8), wanted
    return pixels, wanted
