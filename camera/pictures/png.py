"""PNG: chunks with a checksum each; https://www.w3.org/TR/png-3/."""

import zlib

from camera.pictures.header import Header, corrupt, incomplete, numbers
from camera.pictures.tiff import exif_orientation

MAGIC = b"\x89PNG\r\n\x1a\n"


def read_png(data: bytes) -> Header:
    """Walk every chunk: all there, none damaged. Raises UnreadablePicture."""
    width, height, _, color = numbers(">IIBB", data, 16)
    if data[12:16] != b"IHDR":
        corrupt("its first PNG chunk is not IHDR")
    has_alpha, orientation, at = color in {4, 6}, 1, len(MAGIC)
    while True:
        if at + 12 > len(data):
            incomplete(f"it is cut off after {len(data)} bytes, before its last PNG chunk")
        (length,) = numbers(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            incomplete(f"it is cut off after {len(data)} bytes, within its PNG chunk {_shown(name)}")
        body = memoryview(data)[at + 8 : end - 4]
        if zlib.crc32(body, zlib.crc32(name)) != numbers(">I", data, end - 4)[0]:
            corrupt(f"its PNG chunk {_shown(name)} is damaged (wrong checksum)")
        if name == b"IEND":
            return Header("PNG", width, height, has_alpha, orientation)
        if name == b"tRNS":
            has_alpha = True
        elif name == b"eXIf":
            orientation = exif_orientation(bytes(body))
        at = end


def _shown(name: bytes) -> str:
    return name.decode("ascii", "replace")
