import contextlib
import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.registry.deployments.wishes import BODY_MAX_BYTES, Desired, WishRefused, read_desired

DIGEST = "sha256:" + "ab" * 32


def read(**fields) -> Desired:
    return read_desired(json.dumps(fields).encode(), requested_by="mqtt", request_id="r0")


def test_a_wish_with_everything():
    wish = read(
        digest=DIGEST, request_id="r1", requested_by="anna", model="surface", force=True, spread_s=600, percent=12.5,
        not_before="2026-11-20T22:00:00+01:00", issued="2026-11-20T20:31:04.5Z",
    )  # fmt: skip
    assert wish == Desired(
        None, DIGEST, None, "r1", "anna", "surface", force=True, spread_s=600.0, percent=12.5,
        not_before=datetime(2026, 11, 20, 21, tzinfo=timezone.utc),
        issued=datetime(2026, 11, 20, 20, 31, 4, 500_000, tzinfo=timezone.utc),
    )  # fmt: skip
    assert read_desired(wish.as_json(), requested_by="x") == wish
    assert wish.as_json()["not_before"] == "2026-11-20T21:00:00Z"


def test_the_shortest_wish():
    assert read(release=0) == Desired(None, None, 0, "r0", "mqtt")
    assert read(tag="stable", spread_s=None).spread_s is None


def test_at_its_limits_it_is_a_wish():
    wish = read(release=2**53 - 1, request_id="r" * 128, percent=100, spread_s=604_800, issued="2026-11-20T20:31:04z")
    assert (wish.release, len(wish.request_id), wish.percent, wish.spread_s) == (2**53 - 1, 128, 100.0, 604_800.0)
    assert read(release=1, percent=0, spread_s=0).percent == 0.0
    body = b'{"release": 7}'
    read_desired(body + b" " * (BODY_MAX_BYTES - len(body)), requested_by="mqtt", request_id="r0")
    with pytest.raises(WishRefused, match="4097 bytes"):
        read_desired(body + b" " * (BODY_MAX_BYTES + 1 - len(body)), requested_by="mqtt", request_id="r0")


def test_without_any_request_id_it_is_refused():
    with pytest.raises(WishRefused, match="request_id is missing"):
        read_desired({"release": 7}, requested_by="mqtt")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "exactly one of tag, digest and release; this has none of them"),
        ({"tag": "a", "release": 1}, "this has tag and release"),
        ({"release": 7, "percnt": 5}, "'percnt' is no field of a wish"),
        ({"release": -1}, "release has to be a whole number"),
        ({"release": 7.0}, "release has to be a whole number"),
        ({"release": True}, "release has to be a whole number"),
        ({"release": 2**53}, "release has to be a whole number"),
        ({"release": 10**400}, "release has to be a whole number"),
        ({"release": "7"}, "release has to be a whole number"),
        ({"tag": ".x"}, "tag has to be 1 to 128"),
        ({"tag": "a/b"}, "tag has to be 1 to 128"),
        ({"tag": "a" * 129}, "tag has to be 1 to 128"),
        ({"tag": "stable\n"}, "tag has to be 1 to 128"),
        ({"digest": "sha256:" + "AB" * 32}, "digest has to be"),
        ({"digest": "md5:" + "ab" * 16}, "digest has to be"),
        ({"release": 7, "request_id": ""}, "request_id has to be 1 to 128"),
        ({"release": 7, "request_id": "a\u0000"}, "request_id has to be"),
        ({"release": 7, "requested_by": "x" * 129}, "requested_by has to be"),
        ({"release": 7, "model": "../x"}, "model has to be"),
        ({"release": 7, "force": 1}, "force has to be true or false"),
        ({"release": 7, "percent": 101}, "percent has to be a number from 0 to 100"),
        ({"release": 7, "percent": -0.1}, "percent has to be"),
        ({"release": 7, "percent": "5"}, "percent has to be"),
        ({"release": 7, "percent": False}, "percent has to be"),
        ({"release": 7, "spread_s": 604_801}, "spread_s has to be a number from 0 to 604800"),
        ({"release": 7, "not_before": "2026-11-20T22:00:00"}, "not_before has to be a moment with its offset"),
        ({"release": 7, "not_before": "tomorrow"}, "not_before has to be"),
        ({"release": 7, "issued": 5}, "issued has to be"),
        ({"release": 7, "issued": "0001-01-01T00:00:00+23:59"}, "issued has to be"),
    ],
)
def test_what_is_refused_says_why_in_a_sentence(fields, sentence):
    with pytest.raises(WishRefused, match=sentence) as refused:
        read(**fields)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"7", b"null", b"{", b"\xff\xfe", b"[" * 4000, b'{"release": NaN}',
        b'{"percent": 1e999, "release": 1}',
        b'{"release": 7, "release": 8}', b'{"release": 7, "x": "' + b"a" * BODY_MAX_BYTES + b'"}',
    ],
)  # fmt: skip
def test_what_is_no_wish_at_all(body):
    with pytest.raises(WishRefused):
        read_desired(body, requested_by="mqtt", request_id="r0")


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_are_a_wish_or_refused(body):
    with contextlib.suppress(WishRefused):
        read_desired(body, requested_by="mqtt", request_id="r0")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
FIELDS = [
    "tag",
    "digest",
    "release",
    "request_id",
    "requested_by",
    "model",
    "force",
    "not_before",
    "spread_s",
    "percent",
]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_any_values_are_a_wish_that_reads_itself_or_refused(fields):
    try:
        wish = read_desired(fields, requested_by="mqtt", request_id="r0")
    except WishRefused:
        return
    assert read_desired(json.dumps(wish.as_json()), requested_by="x") == wish
