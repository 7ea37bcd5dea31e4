"""Protocol buffers are read and written as their own library does."""

import pytest
from google.protobuf import empty_pb2, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from appliance.runtimes.wire import WireError, bytes_field, double_field, fields, signed, varint_field


@given(number=st.integers(1, 2**29 - 1), value=st.integers(-(2**63), 2**63 - 1))
def test_a_number_comes_back(number, value):
    ((found, _, read),) = fields(memoryview(varint_field(number, value)))
    assert (found, signed(read)) == (number, value)


@given(number=st.integers(1, 2**29 - 1), value=st.binary())
def test_bytes_come_back(number, value):
    ((found, _, read),) = fields(memoryview(bytes_field(number, value)))
    assert (found, bytes(read)) == (number, value)


@given(st.floats(allow_nan=False))
def test_a_double_is_what_the_library_reads(value):
    read = struct_pb2.Value.FromString(double_field(2, value))
    assert read.number_value == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content):
    try:
        list(fields(memoryview(content)))
    except WireError:
        return
    empty_pb2.Empty.FromString(content)  # what we take, the library takes


def test_a_number_without_end_is_refused():
    with pytest.raises(WireError, match="10 bytes"):
        list(fields(memoryview(b"\x08" + b"\xff" * 11)))
