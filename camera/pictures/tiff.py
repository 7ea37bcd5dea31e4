"""TIFF, and EXIF, which is a TIFF without a picture; TIFF 6.0."""

import struct

from camera.pictures.header import Header, UnreadablePicture, corrupt, incomplete, numbers

LITTLE, BIG = b"II*\0", b"MM\0*"
_WIDTH, _HEIGHT, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 256, 257, 262, 274, 277
_OFFSETS, _COUNTS = (273, 324), (279, 325)
_COLORS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}
"""Photometric interpretation -> samples that are colour; any more are transparency."""
_TYPES = {1: "B", 3: "H", 4: "I"}


def read_tiff(data: bytes) -> Header:
    """The first picture of the file. Raises UnreadablePicture."""
    tags = _first_directory(data)
    if _WIDTH not in tags or _HEIGHT not in tags:
        corrupt("it is a TIFF without a picture")
    photometric, samples = (tags.get(tag, (1,))[0] for tag in (_PHOTOMETRIC, _SAMPLES))
    if photometric not in _COLORS:
        corrupt(f"it is a TIFF with colours of kind {photometric}, which is not read here")
    if samples > _COLORS[photometric]:
        corrupt("it is a TIFF with transparency, which programs read in different ways; save it without")
    ends = [
        offset + count
        for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True)
        for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)
    ]
    if max(ends, default=0) > len(data):
        incomplete(f"it is cut off after {len(data)} of {max(ends)} bytes")
    return Header("TIFF", tags[_WIDTH][0], tags[_HEIGHT][0])


def exif_orientation(data: bytes) -> int:
    """1..8; 1 where the EXIF data do not say, or cannot be read: they are an ornament."""
    try:
        orientation = _first_directory(data).get(_ORIENTATION, (1,))[0]
    except UnreadablePicture:
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _first_directory(data: bytes) -> dict[int, tuple[int, ...]]:
    """The values of each tag, whole numbers only."""
    order = {LITTLE: "<", BIG: ">"}.get(data[:4])
    if order is None:
        corrupt("it does not begin as a TIFF does")
    (at,) = numbers(f"{order}I", data, 4)
    (entries,) = numbers(f"{order}H", data, at)
    tags = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count = numbers(f"{order}HHI", data, entry)
        if kind in _TYPES and 0 < count <= len(data):
            layout = f"{order}{count}{_TYPES[kind]}"
            is_inline = struct.calcsize(layout) <= 4
            place = entry + 8 if is_inline else numbers(f"{order}I", data, entry + 8)[0]
            tags[tag] = numbers(layout, data, place)
    return tags
