"""TensorFlow Serving's surface over models of our own: it stands where the shared cases are not."""

import gzip
import json

import numpy as np
import pytest


def test_predict_by_rows_and_by_columns_says_which_version_answered(api):
    answer = api.predict("affine", {"instances": [2.0, 4.0]})
    assert answer.body == b'{\n    "predictions": [4.0, 5.0\n    ]\n}'
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-model-version"] == "2"
    by_label = api.ask("POST", "/v1/models/affine/labels/stable:predict", {"inputs": [2, 4]})
    assert by_label.json == {"outputs": [3.0, 4.0]}
    assert by_label.headers["x-model-version"] == "1"


def test_several_inputs_and_outputs(api):
    rows = [{"a": [1, 2], "b": 3}, {"a": [4, 5.5], "b": 6}]
    assert api.predict("two", {"instances": rows}).json == {
        "predictions": [{"sum": 6.0, "b": 3}, {"sum": 15.5, "b": 6}]
    }
    columns = {"a": [[1, 2], [4, 5.5]], "b": [3, 6]}
    assert api.predict("two", {"inputs": columns}).json == {"outputs": {"sum": [6.0, 15.5], "b": [3, 6]}}


def test_strings_and_bytes(api):
    answer = api.predict("words", {"instances": ["Grüße", {"b64": "/w=="}]})
    assert answer.body.count(b'"y": "Gr\xc3\xbc\xc3\x9fe"') == 1
    assert b'"y": "\xff"' in answer.body
    assert answer.body.count(b'"b64"') == 2


@pytest.mark.parametrize(
    ("name", "body", "status", "error"),
    [
        ("affine", "{}", 400, "Missing 'inputs' or 'instances' key"),
        ("affine", '{"instances": [1.0', 400, "Missing a comma or ] after an array element."),
        ("whole", '{"instances": [1.0]}', 400, "JSON Value: 1.0 Type: Number is not of expected type: int64"),
        ("whole", '{"instances": [true]}', 400, "JSON Value: true Type: True is not of expected type: int64"),
        ("echo", '{"instances": [true]}', 400, "JSON Value: true Type: True is not of expected type: float"),
        ("echo", '{"instances": [1], "inputs": [1]}', 400, "expecting only one of 'inputs' or 'instances' keys"),
        ("half", '{"inputs": [1.0]}', 501, "Conversion of JSON Value: 1.0 to type: half"),
        ("nobody", '{"instances": [1.0]}', 404, "Servable not found for request: Latest(nobody)"),
        ("affine", '{"signature_name": "no", "instances": [1.0]}', 400, 'Serving signature name: "no" not found'),
        ("affine", '{"instances": [' + "[" * 100 + "1" + "]" * 100 + "]}", 400, "nested deeper than 64"),
    ],
)  # fmt: skip
def test_errors_have_a_status_and_a_sentence(api, name, body, status, error):
    answer = api.predict(name, body.encode())
    assert (answer.status, error in answer.error) == (status, True), answer.body


def test_a_million_numbers_that_are_not_all_numbers_are_refused_with_the_element_that_is_wrong(api):
    body = b'{"instances": [' + b"1.5, " * 300_000 + b"null]}"
    assert "JSON Value: null Type: Null" in api.predict("echo", body).error


def test_gzip_comes_in_and_never_goes_out(api):
    body = gzip.compress(json.dumps({"instances": [2.0]}).encode())
    answer = api.predict("affine", body, Content_Encoding="gzip", Accept_Encoding="gzip")
    assert answer.json == {"predictions": [4.0]}
    assert "content-encoding" not in answer.headers
    cut = api.predict("affine", body[:-9], Content_Encoding="gzip")
    assert cut.error == "JSON Parse error: The document is empty"


def test_status_metadata_and_no_list(api):
    assert [one["version"] for one in api.ask("GET", "/v1/models/affine").json["model_version_status"]] == ["2", "1"]
    metadata = api.ask("GET", "/v1/models/affine/labels/stable/metadata").json
    assert metadata["model_spec"] == {"name": "affine", "signature_name": "", "version": "1"}
    assert (
        metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["x"]["dtype"] == "DT_FLOAT"
    )
    assert api.ask("GET", "/v1/models").error == "Missing model name in request."


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/v1/models/affine:PREDICT"),
        ("POST", "/v1/models/affine:predict?verbose=1"),
        ("GET", "/v1/models/affine/"),
        ("DELETE", "/v1/models/affine"),
    ],
)
def test_what_the_grammar_does_not_know_is_malformed(api, verb, path):
    answer = api.ask(verb, path.encode().decode("latin-1"), b"{}" if verb == "POST" else None)
    assert (answer.status, answer.error) == (400, f"Malformed request: {verb} {path}")


def test_names_are_matched_whatever_their_case_and_decoded_after_that(api):
    assert api.ask("GET", "/V1/Models/affine/METADATA").json.keys() == {"model_version_status"}
    assert api.ask("POST", "/v1/models/aff%69ne:predict", {"inputs": [2]}).status == 200
    assert api.ask("GET", "/v1/models/a%2Fb").error == "Could not find any versions of model a/b"
    too_large = api.ask("GET", "/v1/models/affine/versions/9223372036854775808")
    assert (too_large.status, too_large.body, too_large.headers["content-type"]) == (400, b"", "application/json")


def test_the_head_of_an_answer_is_the_head_alone(api):
    answer = api.ask("HEAD", "/models")
    assert (answer.status, answer.body) == (200, b"")


def test_browsers_may_ask_where_they_are_let(serve):
    quiet, open_to_all = serve(), serve(cors=True)
    assert quiet.ask("OPTIONS", "/v1/models/affine:predict", Origin="http://page").status == 200
    assert quiet.ask("OPTIONS", "/v1/models/affine:predict").status == 400
    assert "access-control-allow-origin" not in quiet.predict("affine", {"instances": [1.0]}).headers
    assert open_to_all.predict("affine", {"instances": [1.0]}).headers["access-control-allow-origin"] == "*"


def test_every_call_is_counted_and_only_answers_are_timed(api):
    api.predict("affine", {"instances": [1.0]})
    api.predict("affine", {"instances": ["a"]})
    api.ask("PUT", "/v1/models/affine:predict")
    lines = api.ask("GET", "/monitoring/prometheus/metrics").body.decode().splitlines()
    for line in (
        "# TYPE :tensorflow:serving:request_count counter",
        ':tensorflow:serving:request_count{model_name="affine",status="OK"} 1',
        ':tensorflow:serving:request_count{model_name="affine",status="INVALID_ARGUMENT"} 1',
        ':tensorflow:serving:request_count{model_name="",status="INVALID_ARGUMENT"} 1',
        ':tensorflow:serving:request_latency_count{model_name="affine",API="predict",entrypoint="REST"} 1',
    ):
        assert line in lines


def test_a_picture_as_numbers_comes_back_as_it_was(api):
    picture = np.random.default_rng(1).random((1, 224, 224, 3), dtype=np.float32)
    answer = api.predict("echo", {"instances": picture.tolist()})
    assert np.array_equal(np.array(answer.json["predictions"], np.float32), picture)


def test_what_takes_too_long_is_told_so(serve):
    late = serve(timeout_s=-1.0).predict("affine", {"instances": [1.0]})
    assert (late.status, late.error) == (504, "Deadline Exceeded")
