"""Stored pictures as if a camera had taken them."""

import os
import stat
from pathlib import Path
from typing import Final

from camera.frame import Frame
from camera.pictures import UnreadablePicture, decode

FILE_MAX_BYTES: Final = 64 << 20


def picture(file: Path) -> Frame:
    """Decoded as it is; some 10 ms per million pixels. Raises: OSError, ValueError with half a sentence."""
    try:
        pixels, pixel_format = decode(content(file, FILE_MAX_BYTES))
    except UnreadablePicture as error:
        raise ValueError(error.detail) from error
    return Frame(
        pixels=pixels, pixel_format=pixel_format, sequence=0, epoch=0, exposed_ns=0, exposed_utc_ns=0, is_simulated=True
    )


def content(file: Path, most_bytes: int) -> bytes:
    """A file's bytes. Raises: OSError, ValueError where it is no file, or too large."""
    # Not to wait for ever where somebody named a pipe like a picture.
    with open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise ValueError("it is no file")
        data = opened.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(f"it is larger than {most_bytes >> 20} MB")
    return data
