"""Whatever comes by REST gets an answer that is not our fault: no 500, JSON, and the server goes on."""

import http.client
import json
import os

import schemathesis
from fuzz.openapi import DOCUMENT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
_LOOSE = settings(
    max_examples=_EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="FUZZ_EXAMPLES" not in os.environ,
)
_SEEDS = (
    b'{"instances": [1.0, 2.0]}',
    b'{"signature_name": "serving_default", "inputs": {"x": [[1.5], [2e-3]]}}',
    b'{"instances": [{"x": {"b64": "aGVsbG8="}}, {"x": NaN}]}',
    b'{"examples": [{"x": 1.0, "y": ["a", {"b64": "AA=="}]}], "context": {"z": [1, 2]}}',
    b'\xef\xbb\xbf{"inputs": [[[1, 2], [3, 4]], [[5, 6], [7, -Infinity]]]} trailing',
)

schema = schemathesis.openapi.from_dict(DOCUMENT)


def _is_no_fault_of_ours(status, body):
    assert status < 500 or status == 501, (status, body[:500])
    if status >= 400 and body:
        assert body.lstrip().startswith((b"{", b"<")), body[:500]
    if body.startswith(b"{") and status >= 400:
        assert isinstance(json.loads(body)["error"], str)


@schema.parametrize()
@_LOOSE
def test_requests_made_from_the_apis_description(case, target):
    answer = case.call(base_url=target.url, timeout=20)
    _is_no_fault_of_ours(answer.status_code, answer.content)


@some.composite
def _mutated(draw, seeds=_SEEDS):
    """A right request with some of its bytes gone, doubled, or replaced."""
    body = bytearray(draw(some.sampled_from(seeds)))
    for _ in range(draw(some.integers(0, 8))):
        place = draw(some.integers(0, max(0, len(body) - 1)))
        what = draw(some.sampled_from(("cut", "double", "replace", "insert")))
        if what == "cut":
            del body[place : place + draw(some.integers(1, 6))]
        elif what == "double":
            body[place:place] = body[place : place + draw(some.integers(1, 40))] * draw(some.integers(1, 30))
        else:
            token = draw(
                some.sampled_from(
                    (b"[", b"]", b"{", b"}", b'"', b"1e999", b"-", b"\\u0000", b"\\ud800", b"\xff", b"NaN", b"9" * 400)
                )
            )
            body[place : place + (what == "replace")] = token
    return bytes(body)


@_LOOSE
@given(
    body=_mutated() | some.binary(max_size=300),
    path=some.sampled_from(("two:predict", "two:classify", "two:regress", "counter:predict", "two/versions/1:predict")),
    encoding=some.sampled_from((None, None, None, "gzip", "deflate")),
)
def test_bodies_that_are_nearly_right(body, path, encoding, target):
    connection = http.client.HTTPConnection("127.0.0.1", target.server.rest_port, timeout=20)
    headers = {"Content-Encoding": encoding} if encoding else {}
    connection.request("POST", f"/v1/models/{path}", body, headers)
    answer = connection.getresponse()
    _is_no_fault_of_ours(answer.status, answer.read())
    connection.close()


@_LOOSE
@given(path=some.text(some.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=60))
def test_paths_of_all_kinds(path, target):
    connection = http.client.HTTPConnection("127.0.0.1", target.server.rest_port, timeout=20)
    connection.request("GET", f"/v1/models/{path}")
    answer = connection.getresponse()
    _is_no_fault_of_ours(answer.status, answer.read())
    connection.close()


def test_the_server_is_well_after_all_that(target):
    assert target.is_well()
