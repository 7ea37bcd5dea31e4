"""JSON both ways without a server: the fast way and the slow way say the same, and nothing is unbounded."""

import base64
import json
import math
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.api.rest.decimals import decimals
from appliance.api.rest.fragment import shown
from appliance.api.rest.numbers import numbers_of, shape_of
from appliance.api.rest.reading import read
from appliance.api.rest.strings import from_base64, quoted
from appliance.api.rest.tensors import arrays_of
from appliance.api.rest.writing import outputs_by_column, predictions
from appliance.dataplane import RequestError
from appliance.runtimes.model import TensorSpec

NEVER = 1 << 60
DTYPES = ["float32", "float64", "int8", "uint8", "int32", "int64", "uint32", "uint64", "bool", "object", "float16"]


def answered(text, dtype, numbers_from):
    try:
        filled = arrays_of(read(text, numbers_from=numbers_from), {"x": TensorSpec("x", dtype, None)})
    except RequestError as error:
        return error.code, str(error)
    array = filled.inputs["x"]
    return filled.by_rows, array.dtype, array.shape, array.tolist() if dtype == "object" else array.tobytes()


scalars = st.one_of(
    st.integers(-300, 300),
    st.integers(-(2**63), 2**64),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.5, 1.0, -0.0, 1e300, True, False, None, "a", {"b64": "aGk="}, {"b64": "!"}]),
)
regular = st.lists(st.integers(1, 3), max_size=4).flatmap(
    lambda shape: st.lists(
        st.integers(-200, 300) | st.sampled_from([0.5, -1.25, 1e39, 2**40, -(2**62), 2**63]),
        min_size=math.prod(shape),
        max_size=math.prod(shape),
    ).map(lambda flat: np.array(flat, object).reshape(shape).tolist() if shape else flat[0])
)
ragged = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=12)


@settings(max_examples=400, deadline=None)
@given(
    value=regular | ragged,
    key=st.sampled_from(["instances", "inputs"]),
    dtype=st.sampled_from(DTYPES),
    pad=st.booleans(),
)
def test_the_fast_way_and_the_slow_way_say_the_same(value, key, dtype, pad):
    text = json.dumps({key: value, "signature_name": "x"}, indent=1 if pad else None).encode()
    assert answered(text, dtype, 0) == answered(text, dtype, NEVER)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries({"x": regular | ragged}), min_size=1, max_size=3))
def test_also_where_rows_are_objects(rows):
    text = json.dumps({"instances": rows}).encode()
    assert answered(text, "float32", 0) == answered(text, "float32", NEVER)


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet='[]{},:"0123456789.-eE tfnNaIif\\u', max_size=30))
def test_no_text_brings_the_reader_down(text):
    assert said_of(text.encode(), 0) == said_of(text.encode(), NEVER)


def said_of(text, numbers_from):
    try:
        return shown(read(text, numbers_from=numbers_from))
    except RequestError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
        max_leaves=20,
    )
)
def test_what_is_json_is_read_as_json(value):
    assert plain(read(json.dumps(value).encode())) == value
    assert plain(read(json.dumps(value, ensure_ascii=False).encode())) == value


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if hasattr(value, "text"):
        return json.loads(value.text)
    return [plain(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b" \n", "The document is empty. at offset: 2"),
        (b"[1,]", "Invalid value. at offset: 3"),
        (b"[1 2]", "Missing a comma or ] after an array element. at offset: 3"),
        (b"[01]", "Missing a comma or ] after an array element. at offset: 2"),
        (b'{"a":1 "b"', "Missing a comma or } after an object member. at offset: 7"),
        (b'{"a":1,}', "Missing a name for object member. at offset: 7"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'["a', "Missing a closing quotation mark in string. at offset: 3"),
        (b'["\\x"]', "Invalid escape character in string. at offset: 2"),
        (b'["\\u12g4"]', "Incorrect hex digit after \\u escape in string. at offset: 2"),
        (b'["\\ud800"]', "The surrogate pair in string is invalid. at offset: 2"),
        (b'["a\nb"]', "Invalid encoding in string. at offset: 3"),
        (b"[1.]", "Miss fraction part in number. at offset: 3"),
        (b"[1e]", "Miss exponent in number. at offset: 3"),
        (b"[1e400]", "Number too big to be stored in double. at offset: 1"),
        (b"[nul]", "Invalid value. at offset: 4"),
        (b"[-]", "Invalid value. at offset: 2"),
    ],
)
def test_what_is_wrong_is_said_in_rapidjsons_words(text, error):
    with pytest.raises(RequestError) as caught:
        read(text)
    assert str(caught.value) == f"JSON Parse error: {error}"


def test_leniency():
    assert read(b"\xef\xbb\xbf {} trailing") == {}
    assert read(b'{"a":1,"a":2}') == {"a": 1}
    assert read(b'["\xff\\u00e9\\ud83d\\ude00"]') == [b"\xff" + "é😀".encode()]
    assert read(b"[-Inf,Infinity]") == [-math.inf, math.inf]
    assert math.isnan(read(b"NaN"))
    assert read(b"18446744073709551616") == 2.0**64
    assert type(read(b"-0")) is int


BOMB = """
import sys
from appliance.api.rest.reading import read
from appliance.dataplane import RequestError
try:
    read(eval(sys.argv[1]))
except RequestError as error:
    print(error)
print(next(int(one.split()[1]) // 1024 for one in open('/proc/self/status') if one.startswith('VmHWM')))
"""


@pytest.mark.parametrize(
    "bomb", ["b'[' * 10**7", "b'{\"a\":' * 2 * 10**6", "b'[' * 10**7 + b']' * 10**7", "b'[' + b'[],' * 5 * 10**6"]
)
def test_a_bomb_of_brackets_is_refused_soon_and_costs_little_memory(bomb):
    done = subprocess.run([sys.executable, "-c", BOMB, bomb], capture_output=True, text=True, timeout=60, check=True)
    refused, resident_mb = done.stdout.splitlines()
    assert "more than 1000000 values" in refused
    assert int(resident_mb) < 400


def test_a_megabyte_of_nines_is_a_number_too_big_and_not_an_hour_of_work():
    begin = time.monotonic()
    with pytest.raises(RequestError, match="too big"):
        read(b"[" + b"9" * 1_000_000 + b"]")
    assert time.monotonic() - begin < 1


def test_shapes_are_found_from_brackets_and_commas():
    assert shape_of(b"[[,],[,],[,]]", 6) == (3, 2)
    assert shape_of(b"[]", 1) == (1,)
    assert shape_of(b"[]", 0) is None
    assert shape_of(b"[[],[,]]", 3) is None
    assert shape_of(b"[[,],[,]", 4) is None
    assert shape_of(b"[[[]],[]]", 2) is None
    assert numbers_of(b"[[1,2],[3]]") is None


@settings(max_examples=500, deadline=None)
@given(value=st.floats(width=32) | st.integers(-(10**9), 10**9).map(float))
def test_a_float_is_written_as_briefly_as_it_can_be_read_back(value):
    (text,) = decimals(np.array([value], np.float32))
    kept = struct.unpack("<f", struct.pack("<f", value))[0]
    again = np.float32(float(text))
    assert again == kept or (math.isnan(kept) and text == "NaN")
    if math.isfinite(kept):
        brief = f"{kept:g}"
        assert text.removesuffix(".0") == (brief if np.float32(float(brief)) == kept else f"{kept:.9g}")
        assert "." in text or "e" in text


@settings(max_examples=300, deadline=None)
@given(value=st.floats())
def test_a_double_too(value):
    (text,) = decimals(np.array([value], np.float64))
    assert float(text) == value or math.isnan(value)


@settings(max_examples=200, deadline=None)
@given(shape=st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_answers_have_the_shape_of_the_tensor(shape):
    array = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    assert json.loads(predictions({"y": array}))["predictions"] == array.tolist()
    assert json.loads(outputs_by_column({"y": array}))["outputs"] == array.tolist()
    two = json.loads(predictions({"y": array, "z": array}))["predictions"]
    assert two == [{"y": row, "z": row} for row in array.tolist()]


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=40))
def test_strings_and_base64_survive(content):
    assert read(quoted(content).encode("utf-8", "surrogateescape")) == content
    encoded = base64.b64encode(content)
    assert from_base64(encoded) == from_base64(encoded.rstrip(b"=")) == content
    assert from_base64(encoded + b"\n") == content


@pytest.mark.parametrize("text", [b"a", b"ab=", b"a===", b"ab_-", b"ab!d", b"ab=c", b"abcd=", b"abc=="])
def test_what_is_no_base64_is_refused(text):
    assert from_base64(text) is None


def test_what_an_error_quotes_is_cut():
    assert len(shown({"a": b"x" * 10_000_000})) == 256
    assert len(shown(read(b"[" + b"1," * 5_000_000 + b"1]"))) == 256
    assert shown(read(b'{"x": [1, 2.0, {"b64": "aa"}, null]}')) == (
        '{\n    "x": [1, 2.0, {\n            "b64": "aa"\n        }, null]\n}'
    )
