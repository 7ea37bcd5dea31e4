"""Protocol buffers are read and written as their own library does."""

import pytest
from google.protobuf import empty_pb2, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from appliance.runtimes.tensorflow.settings import RUN_ON_CALLERS_THREAD, session_config
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


def test_settings_say_what_they_should():
    assert list(fields(memoryview(RUN_ON_CALLERS_THREAD))) == [(3, 0, 2**64 - 1)]
    config = {number: value for number, _, value in fields(memoryview(session_config(threads=2, gpu=False)))}
    assert (config[2], config[5], config[7]) == (2, 1, 1)
    assert bytes(config[1]) == bytes_field(1, b"GPU") + varint_field(2, 0)
    with_gpu = session_config(threads=1, gpu=True, gpu_memory_fraction=0.25)
    gpu = {number: bytes(value) for number, kind, value in fields(memoryview(with_gpu)) if kind == 2}[6]
    assert gpu == varint_field(4, 1) + double_field(1, 0.25)
