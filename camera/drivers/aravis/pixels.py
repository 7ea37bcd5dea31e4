"""From the bytes of a GenICam pixel format to a picture that everybody can read. Codes: PFNC 2.4."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from camera.frame import PixelFormat

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layout:
    """One pixel format as it comes from the camera."""

    name: str
    pixel_bytes: int
    given_as: PixelFormat
    convert: Callable[[Bytes, int, int], Bytes]
    """(bytes, height, width) -> a new picture, nothing of which lies in the bytes."""
    note: str = ""
    """What is lost on the way, for people."""


def _mono8(data: Bytes, height: int, width: int) -> Bytes:
    return data.reshape(height, width).copy()


def _colour8(data: Bytes, height: int, width: int) -> Bytes:
    return data.reshape(height, width, 3).copy()


def _upper_bits(bits: int) -> Callable[[Bytes, int, int], Bytes]:
    def convert(data: Bytes, height: int, width: int) -> Bytes:
        words = data.view("<u2").reshape(height, width)
        upper: Bytes = np.right_shift(words, bits - 8).astype(np.uint8)
        return upper

    return convert


def _with_opencv(code: str, channels: int) -> Callable[[Bytes, int, int], Bytes]:
    def convert(data: Bytes, height: int, width: int) -> Bytes:
        import cv2

        shape = (height, width) if channels == 1 else (height, width, channels)
        converted: Bytes = np.asarray(cv2.cvtColor(data.reshape(shape), getattr(cv2, code)), np.uint8)
        return converted

    return convert


def _deep(name: str, bits: int) -> Layout:
    note = f"{name}: the upper 8 of its {bits} bits are kept"
    return Layout(name, 2, PixelFormat.MONO8, _upper_bits(bits), note)


def _bayer(name: str, code: str) -> Layout:
    return Layout(name, 1, PixelFormat.BGR8, _with_opencv(code, 1))


LAYOUTS: Final[dict[int, Layout]] = {
    0x01080001: Layout("Mono8", 1, PixelFormat.MONO8, _mono8),
    0x01100003: _deep("Mono10", 10),
    0x01100005: _deep("Mono12", 12),
    0x01100025: _deep("Mono14", 14),
    0x01100007: _deep("Mono16", 16),
    0x01080008: _bayer("BayerGR8", "COLOR_BayerGRBG2BGR"),
    0x01080009: _bayer("BayerRG8", "COLOR_BayerRGGB2BGR"),
    0x0108000A: _bayer("BayerGB8", "COLOR_BayerGBRG2BGR"),
    0x0108000B: _bayer("BayerBG8", "COLOR_BayerBGGR2BGR"),
    0x02180014: Layout("RGB8", 3, PixelFormat.RGB8, _colour8),
    0x02180015: Layout("BGR8", 3, PixelFormat.BGR8, _colour8),
    0x0210001F: Layout("YUV422_8_UYVY", 2, PixelFormat.BGR8, _with_opencv("COLOR_YUV2BGR_UYVY", 2)),
    0x02100032: Layout("YUV422_8", 2, PixelFormat.BGR8, _with_opencv("COLOR_YUV2BGR_YUYV", 2)),
}
"""PFNC code -> how it is read. Packed formats (Mono12p) are left out: their 8-bit brothers need less of the network."""

_OLDER_NAMES: Final = {"RGB8Packed": "RGB8", "BGR8Packed": "BGR8", "YUV422Packed": "YUV422_8_UYVY"}


def layout_called(name: str) -> Layout | None:
    """The layout of that name (older cameras have other names for some); None where it cannot be read."""
    name = _OLDER_NAMES.get(name, name)
    return next((layout for layout in LAYOUTS.values() if layout.name == name), None)


def readable(names: Iterable[str]) -> tuple[str, ...]:
    """Those pixel formats of a camera that can be read."""
    return tuple(name for name in names if layout_called(name) is not None)
