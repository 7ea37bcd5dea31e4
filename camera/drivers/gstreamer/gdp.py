"""GStreamer's own format for what flows through a pipeline (GStreamer Data Protocol 1.0), as `gdppay` writes it.

Each packet has a header of 62 bytes: what it is, how long, and for a picture its time and number. So a picture that
waited in a queue still says when it was taken, which its bare bytes on a pipe would not.
Source: gst-plugins-bad, gst/gdp/dataprotocol.c.
"""

import os
import struct
from dataclasses import dataclass
from typing import Final

HEADER_BYTES: Final = 62
BUFFER: Final = 1
"""The type of a packet that holds a picture; others (the format, events) are stepped over."""
_HEADER: Final = struct.Struct(">BBBxHIQQQQ")
_NONE: Final = (1 << 64) - 1
_OTHER_MAX: Final = 1 << 20
"""Bytes of a packet that is no picture; they have some hundred."""


class NotGdp(Exception):
    """What came is not what gdppay writes, or not the pictures that were asked for."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One buffer of the pipeline."""

    data: bytearray
    pts_ns: int | None
    """When it was taken, on the pipeline's clock from its start."""
    offset: int | None
    """Which picture of the source it is, where the source numbers them."""


class GdpReader:
    """Takes packets apart as they arrive. Threads: one. Cost: each byte is written once, where it stays."""

    def __init__(self, fd: int, picture_bytes: int) -> None:
        """`fd`: not blocking; stays the caller's."""
        self._fd = fd
        self._picture_bytes = picture_bytes
        self._header: tuple[int, int | None, int | None] | None = None
        self._data = bytearray(HEADER_BYTES)
        self._room = memoryview(self._data)

    def read(self) -> Picture | None:
        """Read what is there, up to the end of a picture. None: more has to come first.

        Raises: EOFError where the pipeline has ended, NotGdp.
        """
        while True:
            try:
                count = os.readv(self._fd, [self._room])
            except BlockingIOError:
                return None
            if count == 0:
                raise EOFError
            self._room = self._room[count:]
            if not self._room:
                picture = self._whole()
                if picture is not None:
                    return picture

    def _begin(self, count: int) -> None:
        self._data = bytearray(count)
        self._room = memoryview(self._data)

    def _whole(self) -> Picture | None:
        """A header or what follows it has arrived."""
        if self._header is None:
            kind, count, pts_ns, offset = self._parsed(bytes(self._data))
            if count:
                self._header = (kind, pts_ns, offset)
            self._begin(count or HEADER_BYTES)
            return None
        (kind, pts_ns, offset), data = self._header, self._data
        self._header = None
        self._begin(HEADER_BYTES)
        return Picture(data, pts_ns, offset) if kind == BUFFER else None

    def _parsed(self, header: bytes) -> tuple[int, int, int | None, int | None]:
        major, minor, _flags, kind, count, pts_ns, _duration, offset, _end = _HEADER.unpack_from(header)
        if (major, minor) != (1, 0):
            raise NotGdp(f"it does not begin as GStreamer Data Protocol 1.0 does ({header[:4].hex()})")
        if kind == BUFFER and count != self._picture_bytes:
            raise NotGdp(f"a picture has {count} bytes instead of {self._picture_bytes}")
        if count > max(_OTHER_MAX, self._picture_bytes):
            raise NotGdp(f"a packet of {count} bytes")
        return kind, count, None if pts_ns == _NONE else pts_ns, None if offset == _NONE else offset
