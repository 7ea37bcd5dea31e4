import pytest

from appliance.registry.package.strict_json import NotStrict, read_json, write_json


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'{"a":1,"a":1}', "'a' stands twice"),
        (b'{"x":{"b":1,"b":2}}', "'b' stands twice"),
        (b"[NaN]", "NaN is no number"),
        (b"[-Infinity]", "Infinity is no number"),
        (b"[1e999]", "too large"),
        (b"[12345678901234567890]", "more than 19 digits"),
        (b'["\\ud800"]', "lone surrogate"),
        (b'{"\\ud800":1}', "lone surrogate"),
        (b"\xff\xfe[\x00]\x00", "not JSON in UTF-8"),
        (b"\xef\xbb\xbf[]", "not JSON in UTF-8"),
        (b"[1]]", "not JSON in UTF-8"),
        (b"", "not JSON in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 18 + b"]" * 18, "nested too deeply"),
        (b'"' + b"x" * 200_000 + b'"', "longer than 150000 bytes"),
    ],
)
def test_what_readers_would_understand_differently_is_refused(raw, why):
    with pytest.raises(NotStrict, match=why):
        read_json(raw, max_bytes=150_000)


def test_what_is_written_is_read_again():
    value = {"z": [1, -2.5, True, None, "ü\n"], "a": {"😀": 0.1}}
    raw = write_json(value)
    assert raw == '{"a":{"😀":0.1},"z":[1,-2.5,true,null,"ü\\n"]}'.encode()
    assert read_json(raw, max_bytes=1000) == value


@pytest.mark.parametrize("value", [float("nan"), "\ud800", {1, 2}])
def test_what_json_has_not_is_not_written(value):
    with pytest.raises(NotStrict):
        write_json({"a": value})
