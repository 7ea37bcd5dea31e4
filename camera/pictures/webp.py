"""WebP: a RIFF container; https://developers.google.com/speed/webp/docs/riff_container."""

from camera.pictures.header import Header, corrupt, incomplete, numbers
from camera.pictures.tiff import exif_orientation

MAGIC = b"RIFF"


def read_webp(data: bytes) -> Header:
    """Raises UnreadablePicture."""
    length, _, _ = numbers("<III", data, 4)
    if data[8:12] != b"WEBP":
        corrupt("it is a RIFF file, and not a WebP picture")
    if length + 8 > len(data):
        incomplete(f"it is cut off after {len(data)} of {length + 8} bytes")
    first = data[12:16]
    if first == b"VP8X":
        flags, _, _, low_w, high_w, low_h, high_h = numbers("<BBHHBHB", data, 20)
        size = (1 + low_w + (high_w << 16), 1 + low_h + (high_h << 16))
        if flags & 0x02:
            corrupt("it is an animated WebP; a camera's picture stands still")
        return Header("WebP", *size, bool(flags & 0x10), _orientation(data, length + 8))
    if first == b"VP8L":
        _, bits = numbers("<BI", data, 20)
        return Header("WebP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1))
    if first == b"VP8 ":
        width, height = numbers("<HH", data, 26)
        return Header("WebP", width & 0x3FFF, height & 0x3FFF)
    return corrupt("it is a WebP file of an unknown kind")


def _orientation(data: bytes, end: int) -> int:
    at = 12
    while at + 8 <= end:
        (length,) = numbers("<I", data, at + 4)
        if data[at : at + 4] == b"EXIF":
            return exif_orientation(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + (length & 1)
    return 1
