"""TFRecord's checksum, and its records as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.dataplane.tfrecord import crc32c, masked_crc32c, records_of


def plain_crc32c(content):
    """Bit by bit, as the polynomial says."""
    state = 0xFFFFFFFF
    for byte in content:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("content", "checksum"),
    [(b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)],  # RFC 3720, B.4
)
def test_published_checksums(content, checksum):
    assert crc32c(content) == checksum


@given(st.binary(max_size=300))
def test_a_short_record(content):
    assert crc32c(content) == plain_crc32c(content)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 513, 1024, 4097, 70_001])
def test_a_record_of_any_length(size):
    content = bytes(7 * number % 251 for number in range(size))
    assert crc32c(content) == plain_crc32c(content)


def test_records_come_one_by_one(tmp_path):
    contents = [b"", b"one", b"x" * 3000]
    parts = [part for content in contents for part in (len(content).to_bytes(8, "little"), content)]
    file = tmp_path / "records"
    file.write_bytes(b"".join(part + masked_crc32c(part).to_bytes(4, "little") for part in parts))
    assert list(records_of(file)) == contents
