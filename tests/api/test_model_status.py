import json
import socket
from pathlib import Path

import pytest

from appliance.api.model_status import answer, is_about_models
from appliance.status import ModelStatus

CASES = Path(__file__).parents[3] / "shared" / "conformance" / "tfs_rest_cases.jsonl"

OK = {"error_code": "OK", "error_message": ""}


def version(number, state="AVAILABLE", name="surface", error=None):
    return ModelStatus(name, number, state, error, None, None, None)


MODELS = [version(7), version(9, "LOADING"), version(8, "END", error="the digest is wrong"), version(1, name="other")]


def get(path, models=MODELS, verb="GET"):
    given = answer(verb, path, models)
    return given.status, json.loads(given.body) if given.body else None


def error(path, models=MODELS, verb="GET"):
    status, body = get(path, models, verb)
    assert list(body) == ["error"]
    return status, body["error"]


def test_all_versions_are_told_newest_first_with_numbers_as_strings():
    status, body = get("/v1/models/surface")
    assert status == 200
    assert body == {
        "model_version_status": [
            {"version": "9", "state": "LOADING", "status": OK},
            {
                "version": "8",
                "state": "END",
                "status": {"error_code": "UNKNOWN", "error_message": "the digest is wrong"},
            },
            {"version": "7", "state": "AVAILABLE", "status": OK},
        ]
    }


def test_one_version_is_told_when_it_is_asked_for():
    status, body = get("/v1/models/surface/versions/7")
    assert (status, [one["version"] for one in body["model_version_status"]]) == (200, ["7"])


def test_a_version_beyond_32_bits_is_told_to_the_last_digit():
    newest = 2**63 - 1
    _, body = get(f"/v1/models/surface/versions/{newest}", [version(newest)])
    assert body["model_version_status"][0]["version"] == "9223372036854775807"


def test_a_label_is_read_and_ignored():
    assert get("/v1/models/surface/labels/stable") == get("/v1/models/surface")


def test_a_version_that_ended_by_wish_has_no_error():
    _, body = get("/v1/models/surface", [version(3, "END")])
    assert body["model_version_status"] == [{"version": "3", "state": "END", "status": OK}]


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/v1/models/nope", 404, "Could not find any versions of model nope"),
        ("/v1/models/surface?x=1", 404, "Could not find any versions of model surface?x=1"),
        ("/v1/models/nope/versions/3", 404, "Could not find any versions of model nope"),
        ("/v1/models/surface/versions/42", 404, "Could not find version 42 of model surface"),
        ("/v1/models", 400, "Missing model name in request."),
        ("/v1/models/versions/1", 400, "Missing model name in request."),
        ("/v1/", 400, "Malformed request: GET /v1/"),
        ("/v1/models/", 400, "Malformed request: GET /v1/models/"),
        ("/v1/models/surface/", 400, "Malformed request: GET /v1/models/surface/"),
        ("/v1/models/surface:predict", 400, "Malformed request: GET /v1/models/surface:predict"),
        ("/v1/models/surface/versions/x", 400, "Malformed request: GET /v1/models/surface/versions/x"),
        ("/v1/models/surface/versions/-1", 400, "Malformed request: GET /v1/models/surface/versions/-1"),
        ("/v1/models/surface/versions/٣", 400, "Malformed request: GET /v1/models/surface/versions/٣"),
    ],
)
def test_errors_read_as_tensorflow_servings(path, status, sentence):
    assert error(path) == (status, sentence)


def test_a_missing_model_and_a_missing_version_differ():
    assert error("/v1/models/nope/versions/3")[1] != error("/v1/models/surface/versions/42")[1]


@pytest.mark.parametrize("digits", ["9223372036854775808", "18446744073709551615", "9" * 10_000])
def test_a_version_too_big_for_64_bits_is_400_without_a_body(digits):
    assert get(f"/v1/models/surface/versions/{digits}") == (400, None)


def test_leading_zeros_do_not_make_a_version_too_big():
    assert get("/v1/models/surface/versions/" + "0" * 50 + "7")[0] == 200


def test_the_path_is_matched_in_any_case_and_the_name_is_not():
    assert get("/V1/Models/surface")[0] == 200
    assert get("/v1/models/SURFACE")[0] == 404


def test_a_name_is_percent_decoded_after_the_match():
    assert get("/v1/models/sur%66ace")[0] == 200
    assert error("/v1/models/a%2Fb") == (404, "Could not find any versions of model a/b")


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH", "POST", "OPTIONS"])
def test_a_verb_that_has_no_meaning_is_malformed(verb):
    assert error("/v1/models/surface", verb=verb) == (400, f"Malformed request: {verb} /v1/models/surface")


def test_a_well_formed_prediction_is_told_that_this_port_takes_none():
    assert error("/v1/models/surface:predict", verb="POST") == (
        405,
        "This port answers model status; it takes no predictions.",
    )


def test_metadata_is_told_apart_from_a_mistake():
    assert error("/v1/models/surface/metadata")[0] == 501


def test_without_a_line_that_reports_no_model_is_said_to_be_missing():
    assert error("/v1/models/surface", None)[0] == 503


def test_only_what_is_below_v1_belongs_here():
    assert is_about_models("/v1/")
    assert is_about_models("/V1/x?y")
    assert not is_about_models("/v1")
    assert not is_about_models("/v12/models")


def test_the_server_hands_the_path_on_as_it_was_sent(box, line):
    box.reports(line)
    with socket.create_connection(("127.0.0.1", box.server.port), timeout=10) as client:
        client.sendall(b"GET /v1/models/a%2Fb//c?d=%20 HTTP/1.0\r\n\r\n")
        received = b""
        while data := client.recv(65536):
            received += data
    assert b'"Malformed request: GET /v1/models/a%2Fb//c?d=%20"' in received


def test_a_stale_line_is_not_asked_about_its_models(box, line):
    box.reports(line)
    assert box.ask("/v1/models/surface").status == 200
    box.board.line_gone("The line's process ended.")
    assert box.ask("/v1/models/surface").status == 503


FIXTURES = [
    version(123, name="default"),
    version(123, name="half_plus_two"),
    version(123, name="saved_model_half_plus_two_2_versions"),
    version(124, name="saved_model_half_plus_two_2_versions"),
]


def conformance_cases():
    """TensorFlow Serving's cases for this port: no predictions, no metadata."""
    if not CASES.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"TensorFlow Serving's cases are not at {CASES}"))]
    cases = [json.loads(row) for row in CASES.read_text(encoding="utf-8").splitlines()]
    return [
        pytest.param(case, id=case["id"])
        for case in cases
        if (case["id"].startswith(("url-", "status-")) or case["id"] == "http-404-html")
        and case["method"] != "POST"
        and case["path"] != "/"
    ]


@pytest.mark.parametrize("case", conformance_cases())
def test_answers_as_tensorflow_serving_does(box, line, case):
    box.reports(line, models=FIXTURES)
    given = box.ask(case["path"], case["method"], case.get("body") or None)
    assert given.status == case["expect_status"]
    if "expect_body" in case:
        assert given.json == case["expect_body"]
    if "expect_error" in case:
        assert given.json == {"error": case["expect_error"]}
    if "oracle_body" in case:
        assert given.body.decode() == case["oracle_body"]


def test_conformance_covers_the_status_call():
    if not CASES.exists():
        pytest.skip(f"TensorFlow Serving's cases are not at {CASES}")
    ids = {parameter.id for parameter in conformance_cases()}
    assert {"url-03", "url-07", "url-verb-put", "status-one", "status-version", "status-label"} <= ids
