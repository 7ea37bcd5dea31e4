"""BMP; its fourth channel, where it has one, is not transparency by any rule, and is left out."""

from camera.pictures.header import Header, corrupt, incomplete, numbers

MAGIC = b"BM"
_UNCOMPRESSED = frozenset({0, 3, 6})


def read_bmp(data: bytes) -> Header:
    """Raises UnreadablePicture."""
    offset, size = numbers("<II", data, 10)
    if size == 12:
        width, height, _, bits = numbers("<HHHH", data, 18)
        compression = 0
    elif size >= 40:
        width, height, _, bits, compression = numbers("<iiHHI", data, 18)
    else:
        corrupt(f"it is a BMP with an unknown header of {size} bytes")
    height = abs(height)  # negative: stored from top to bottom
    needed = offset + (max(width, 0) * bits + 31) // 32 * 4 * height
    if compression in _UNCOMPRESSED and needed > len(data):
        incomplete(f"it is cut off after {len(data)} of {needed} bytes")
    return Header("BMP", width, height)
