"""The format in which a pipeline's pictures come."""

import os
import struct

import pytest

from camera.drivers.gstreamer.gdp import GdpReader, NotGdp
from camera.drivers.gstreamer.numbering import Numbering

NONE = (1 << 64) - 1


def packet(kind, payload, pts=NONE, offset=NONE, version=(1, 0)):
    return struct.pack(">BBBxHIQQQQ20x", *version, 1, kind, len(payload), pts, 0, offset, 0) + payload


@pytest.fixture
def pipe():
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    yield GdpReader(ours, 12), theirs
    os.close(ours)
    os.close(theirs)


def test_pictures_come_whole_however_they_are_cut_and_what_is_none_is_stepped_over(pipe):
    reader, theirs = pipe
    said = packet(2, b"video/x-raw") + packet(70, b"") + packet(1, b"first picture"[:12], pts=5, offset=0)
    said += packet(1, b"secondsecond")
    found = []
    for place in range(0, len(said), 7):
        os.write(theirs, said[place : place + 7])
        if (picture := reader.read()) is not None:
            found.append((bytes(picture.data), picture.pts_ns, picture.offset))
    assert found == [(b"first pictur", 5, 0), (b"secondsecond", None, None)]
    assert reader.read() is None


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (packet(1, b"short"), "5 bytes instead of 12"),
        (packet(2, b"", version=(0, 2)), "does not begin as"),
        (b"\x01\x00\x01\x00\x00\x02\xff\xff\xff\xff" + bytes(52), "a packet of 4294967295 bytes"),
    ],
)
def test_what_is_no_picture_of_this_size_is_told(pipe, said, sentence):
    reader, theirs = pipe
    os.write(theirs, said)
    with pytest.raises(NotGdp, match=sentence):
        reader.read()


def test_a_jump_in_the_sources_numbers_is_pictures_that_were_lost():
    numbering = Numbering(frame_rate_hz=10.0)
    assert [numbering.next(offset, offset * 100_000_000) for offset in (7, 8, 11, 12)] == [0, 1, 4, 5]
    assert numbering.lost == 2


@pytest.mark.parametrize("offsets", [(None, None, None), (0, 4096, 8192), (5, 5, 5), (9, 3, 2)])
def test_numbers_that_are_none_of_pictures_are_not_believed(offsets):
    numbering = Numbering(frame_rate_hz=10.0)
    times = (0, 100_000_000, 200_000_000)
    assert [numbering.next(offset, at) for offset, at in zip(offsets, times, strict=True)] == [0, 1, 2]
    assert numbering.lost == 0
