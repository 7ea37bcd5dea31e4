"""What a picture file says about itself, before anything is decoded."""

import struct
from dataclasses import dataclass
from typing import NoReturn

from camera.frame import FrameStatus


class UnreadablePicture(Exception):
    """There is no right picture to be had from these bytes; the text is one sentence for people."""

    def __init__(self, status: FrameStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Header:
    """Size and layout of a picture of which all bytes are there."""

    kind: str
    width: int
    height: int
    has_alpha: bool = False
    orientation: int = 1
    """EXIF's 1..8: how to turn and mirror the pixels; 1 leaves them as they are."""
    data_end: int = 0
    """JPEG only: where the compressed data end."""


def incomplete(detail: str) -> NoReturn:
    """The file was cut off."""
    raise UnreadablePicture(FrameStatus.INCOMPLETE, detail)


def corrupt(detail: str) -> NoReturn:
    """The file is damaged, or is not what its name says."""
    raise UnreadablePicture(FrameStatus.CORRUPT, detail)


def numbers(layout: str, data: bytes, at: int) -> tuple[int, ...]:
    """struct.unpack at a place that may lie behind the end of a file that was cut off."""
    if at < 0 or at + struct.calcsize(layout) > len(data):
        incomplete(f"it ends after {len(data)} bytes, within its own header")
    return struct.unpack_from(layout, data, at)
