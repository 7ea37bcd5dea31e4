"""JPEG: segments, then entropy-coded data without a checksum; ITU T.81.

Damage inside the entropy-coded data that leaves the end in place cannot be seen from outside; see
decoding._runs_dry for what is done about it.
"""

from camera.pictures.header import Header, corrupt, incomplete, numbers

MAGIC = b"\xff\xd8\xff"
_START_OF_SCAN, _END = 0xDA, 0xD9
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})


def read_jpeg(data: bytes) -> Header:
    """Walk the segments up to the first scan, and find the end. Raises UnreadablePicture."""
    at, width, height = 2, 0, 0
    while True:
        fill, marker = numbers(">BB", data, at)
        if fill != 0xFF:
            corrupt(f"there is no JPEG marker at byte {at}, where one belongs")
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker == _END:
            corrupt("it is a JPEG without a picture")
        (length,) = numbers(">H", data, at + 2)
        if marker in _FRAMES:
            _, height, width = numbers(">BHH", data, at + 4)
        at += 2 + length
        if marker == _START_OF_SCAN:
            break
    end = data.rfind(b"\xff\xd9", at)
    if end < 0:
        incomplete(f"it is cut off after {len(data)} bytes, before the end of its JPEG data")
    return Header("JPEG", width, height, data_end=end)
