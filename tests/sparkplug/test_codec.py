"""The codec against Google's: the same bytes out, the same values in, and nothing but a sentence for garbage."""

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparkplug.google import Payload as Google
from sparkplug.google import parse, value_of

from appliance.sparkplug import codec
from appliance.sparkplug.codec import DataType, Metric, Payload
from appliance.sparkplug.errors import Undecodable

_UINT64 = st.integers(0, 2**64 - 1)
_VALUES = {
    DataType.INT64: st.integers(-(2**63), 2**63 - 1),
    DataType.UINT64: _UINT64,
    DataType.DOUBLE: st.floats(allow_nan=False),
    DataType.BOOLEAN: st.booleans(),
    DataType.STRING: st.text(),
}
_METRICS = st.sampled_from(DataType).flatmap(
    lambda datatype: st.builds(
        Metric,
        name=st.text(min_size=1),
        datatype=st.just(datatype),
        value=st.none() | _VALUES[datatype],
        timestamp_ms=_UINT64,
        is_historical=st.booleans(),
    )
)
_PAYLOADS = st.builds(
    Payload,
    timestamp_ms=_UINT64,
    metrics=st.lists(_METRICS, max_size=6),
    seq=st.none() | st.integers(0, 255),
)


@settings(max_examples=60)
@given(_PAYLOADS, st.booleans())
def test_google_writes_what_it_has_read_of_ours_byte_for_byte(payload, with_datatypes):
    raw = codec.encode(payload, with_datatypes=with_datatypes)
    read = parse(raw)
    assert read.SerializeToString(deterministic=True) == raw
    assert read.timestamp == payload.timestamp_ms
    assert (read.seq if read.HasField("seq") else None) == payload.seq
    for ours, theirs in zip(payload.metrics, read.metrics, strict=True):
        assert (theirs.name, theirs.timestamp) == (ours.name, ours.timestamp_ms)
        assert theirs.HasField("datatype") is with_datatypes
        assert not with_datatypes or theirs.datatype == ours.datatype
        assert theirs.is_historical is ours.is_historical
        assert theirs.is_null is (ours.value is None)
        assert theirs.HasField("is_null") is (theirs.WhichOneof("value") is None)
        is_signed = ours.datatype is DataType.INT64 and ours.value is not None
        assert value_of(theirs) == (ours.value % 2**64 if is_signed else ours.value)


@settings(max_examples=60)
@given(_PAYLOADS)
def test_what_we_write_we_read(payload):
    heard = codec.decode(codec.encode(payload, with_datatypes=True))
    assert (heard.timestamp_ms, heard.seq) == (payload.timestamp_ms, payload.seq)
    for ours, told in zip(payload.metrics, heard.metrics, strict=True):
        assert (told.name, told.value, told.datatype) == (ours.name, ours.value, ours.datatype)
        assert (told.timestamp_ms, told.is_historical) == (ours.timestamp_ms, ours.is_historical)


def test_kinds_that_we_do_not_write_are_read_from_google():
    theirs = Google(timestamp=1, uuid="x", body=b"y")
    theirs.metrics.add(name="a", datatype=3, int_value=2**32 - 5)
    theirs.metrics.add(name="b", datatype=9, float_value=0.5)
    theirs.metrics.add(name="c", bytes_value=b"\x00")
    theirs.metrics.add(alias=7, boolean_value=True)
    theirs.metrics.add(name="d", datatype=1, int_value=0xFE)
    heard = codec.decode(theirs.SerializeToString())
    assert [(one.name, one.value) for one in heard.metrics] == [
        ("a", -5),
        ("b", 0.5),
        ("c", b"\x00"),
        (None, True),
        ("d", -2),
    ]
    assert heard.seq is None


def test_not_a_number_travels():
    heard = codec.decode(codec.encode(Payload(1, [Metric("x", DataType.DOUBLE, math.nan, 1)], 0), with_datatypes=True))
    assert math.isnan(heard.metrics[0].value)


@given(st.binary(max_size=200))
def test_garbage_gives_a_payload_or_a_sentence(raw):
    with contextlib.suppress(Undecodable):
        codec.decode(raw)


@pytest.mark.parametrize("raw", [b"\x08", b"\x12\x05abc", b"\x0b", b"\xff" * 11, b"\x12\x03\x0a\x01\xff"])
def test_what_is_cut_short_or_no_text_is_refused(raw):
    with pytest.raises(Undecodable):
        codec.decode(raw)
