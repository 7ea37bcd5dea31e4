"""TensorFlow Serving's services, over a real channel."""

import grpc
import pytest
from api.rpc.rpc_box import MODELS, PREDICTION, predict_request
from dataplane.numpy_model import CLASSIFY, REGRESS, NumpyModel, example, half_plus_two

from appliance.dataplane import Code, RequestError
from appliance.dataplane.metrics import REQUEST_COUNT, REQUEST_LATENCY
from appliance.protos import message


def with_examples(name, *values, key="", context=None):
    request = message(f"tensorflow.serving.{name}")()
    request.model_spec.name = "half"
    request.model_spec.signature_name = key
    given = request.input.example_list if context is None else request.input.example_list_with_context
    for value in values:
        given.examples.add().MergeFromString(example(x=value) if value is not None else b"")
    if context is not None:
        given.context.MergeFromString(example(x=context))
    return request


def test_a_prediction_comes_as_clients_read_it(client):
    answer = client.predict(predict_request(2.0, 4.0))

    assert list(answer.outputs["y"].float_val) == [3.0, 4.0]
    assert answer.outputs["y"].dtype == 1
    assert [dim.size for dim in answer.outputs["y"].tensor_shape.dim] == [2]
    assert answer.model_spec.name == "half"
    assert answer.model_spec.version.value == 7
    assert answer.model_spec.signature_name == "serving_default"


def test_version_zero_is_a_version(boxes):
    client = boxes({"half": {0: NumpyModel(half_plus_two()), 1: NumpyModel(half_plus_two())}}).client()
    request = predict_request(2.0)
    request.model_spec.version.value = 0

    answer = client.predict(request)

    assert answer.model_spec.HasField("version")
    assert answer.model_spec.version.value == 0


def test_answers_are_raw_bytes_where_that_is_set(boxes):
    answer = boxes(tensor_content=True).client().predict(predict_request(2.0))

    assert answer.outputs["y"].tensor_content == b"\x00\x00\x40\x40"
    assert not answer.outputs["y"].float_val


def test_a_label_and_a_filter_are_honoured(client):
    request = predict_request(2.0)
    request.model_spec.version_label = "stable"
    request.output_filter.append("twice")

    answer = client.predict(request)

    assert list(answer.outputs) == ["twice"]
    assert answer.model_spec.version.value == 7


def test_what_is_refused_has_the_code_and_the_words_that_clients_know(client, refused):
    nobody = message("tensorflow.serving.PredictRequest")()
    strange = predict_request(2.0)
    strange.model_spec.signature_name = "nope"
    unread = predict_request()
    unread.inputs["x"].dtype = 1
    unread.inputs["x"].tensor_content = b"123"

    assert refused(client.predict, nobody) == (grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")
    assert refused(client.predict, predict_request(1.0, name="foo")) == (
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Latest(foo)",
    )
    assert refused(client.predict, strange) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        'Serving signature key "nope" not found.',
    )
    code, text = refused(client.predict, unread)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith("tensor parsing error: x")


def test_a_long_text_is_cut_as_tensorflow_serving_cuts_it(client, refused):
    _, text = refused(client.predict, predict_request(1.0, name="é" * 2000))

    assert text.endswith("é...TRUNCATED")
    assert len(text.removesuffix("...TRUNCATED").encode()) in {1023, 1024}


def test_bytes_that_are_no_message_are_an_answer(client, refused):
    code, text = refused(client.predict, b"\xff\xff\xff\xff")

    assert code is grpc.StatusCode.INTERNAL
    assert "PredictRequest" in text
    assert client.predict(predict_request(2.0)).outputs


def test_classes_and_values_and_both_at_once(client):
    classified = client.call(
        f"{PREDICTION}/Classify",
        with_examples("ClassificationRequest", 2.0, 20.0, key="labelled"),
        "tensorflow.serving.ClassificationResponse",
    )
    regressed = client.call(
        f"{PREDICTION}/Regress",
        with_examples("RegressionRequest", 2.0, key="regress"),
        "tensorflow.serving.RegressionResponse",
    )
    both = message("tensorflow.serving.MultiInferenceRequest")()
    both.input.example_list.examples.add().MergeFromString(example(x=2.0))
    for key, method in (("regress", REGRESS), ("classify", CLASSIFY)):
        task = both.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = "half", key
    answered = client.call(f"{PREDICTION}/MultiInference", both, "tensorflow.serving.MultiInferenceResponse")

    assert [[(c.label, c.score) for c in one.classes] for one in classified.result.classifications] == [
        [("car", 2.0), ("bike", -2.0)],
        [("car", 20.0), ("bike", -20.0)],
    ]
    assert classified.model_spec.signature_name == "labelled"
    assert [one.value for one in regressed.result.regressions] == [5.0]
    assert regressed.model_spec.version.value == 7
    assert [one.WhichOneof("result") for one in answered.results] == ["regression_result", "classification_result"]
    assert answered.results[0].regression_result.regressions[0].value == 5.0
    assert answered.results[1].model_spec.signature_name == "classify"


def test_a_context_holds_for_every_example_that_does_not_say_otherwise(client):
    answer = client.call(
        f"{PREDICTION}/Classify",
        with_examples("ClassificationRequest", 4.0, None, key="classify", context=2.0),
        "tensorflow.serving.ClassificationResponse",
    )

    assert [one.classes[0].score for one in answer.result.classifications] == [4.0, 3.0]


def test_no_input_is_told(client, refused):
    for method, name in (("Classify", "Classification"), ("Regress", "Regression")):
        request = with_examples(f"{name}Request", key=method.lower())
        assert refused(client.call, f"{PREDICTION}/{method}", request, f"tensorflow.serving.{name}Response") == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "Input is empty.",
        )


def test_metadata_are_the_signatures_as_the_model_has_them(client):
    request = message("tensorflow.serving.GetModelMetadataRequest")(metadata_field=["signature_def"])
    request.model_spec.name = "half"

    answer = client.call(f"{PREDICTION}/GetModelMetadata", request, "tensorflow.serving.GetModelMetadataResponse")

    found = message("tensorflow.serving.SignatureDefMap")()
    assert list(answer.metadata) == ["signature_def"]
    assert answer.metadata["signature_def"].Unpack(found)
    assert found.signature_def.keys() == half_plus_two().keys()
    assert found.signature_def["serving_default"].inputs["x"].name == "x:0"
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (7, "")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["nope"], "Metadata field nope is not supported"),
        (["signature_def", "nope"], "Metadata field nope is not supported"),
    ],
)
def test_metadata_of_another_kind_are_refused(client, refused, fields, text):
    request = message("tensorflow.serving.GetModelMetadataRequest")(metadata_field=fields)
    request.model_spec.name = "foo"

    assert refused(
        client.call, f"{PREDICTION}/GetModelMetadata", request, "tensorflow.serving.GetModelMetadataResponse"
    ) == (grpc.StatusCode.INVALID_ARGUMENT, text)


def status_request(**spec):
    request = message("tensorflow.serving.GetModelStatusRequest")()
    request.model_spec.SetInParent()
    request.model_spec.MergeFrom(message("tensorflow.serving.ModelSpec")(**spec))
    return request


def test_status_tells_every_version_and_why_one_ended(boxes):
    client = boxes({"half": {7: NumpyModel(half_plus_two()), 8: None}}).client()

    answer = client.call(
        f"{MODELS}/GetModelStatus", status_request(name="half"), "tensorflow.serving.GetModelStatusResponse"
    )

    newest, oldest = answer.model_version_status
    assert (newest.version, newest.state, newest.status.error_code) == (8, 50, int(Code.UNKNOWN))
    assert "is no model" in newest.status.error_message
    assert (oldest.version, oldest.state, oldest.status.error_code, oldest.status.error_message) == (7, 30, 0, "")


def test_status_of_what_is_not_known_is_refused(client, refused):
    def ask(request):
        return refused(client.call, f"{MODELS}/GetModelStatus", request, "tensorflow.serving.GetModelStatusResponse")

    assert ask(message("tensorflow.serving.GetModelStatusRequest")())[1] == "Missing ModelSpec"
    assert ask(status_request(name="foo")) == (
        grpc.StatusCode.NOT_FOUND,
        "Could not find any versions of model foo",
    )


def reload_request(*names):
    request = message("tensorflow.serving.ReloadConfigRequest")(metric_names=["/a/metric", "/unknown"])
    request.config.model_config_list.SetInParent()
    for name in names:
        request.config.model_config_list.config.add(name=name)
    return request


RELOAD = f"{MODELS}/HandleReloadConfigRequest", "tensorflow.serving.ReloadConfigResponse"


def test_a_reload_is_handed_on_and_what_it_counted_is_told(boxes):
    heard = []

    def reload(config):
        heard.extend(one.name for one in config.model_config_list.config)
        box.serving.metrics.count("/a/metric", 3)

    box = boxes(reload=reload)
    box.serving.metrics.count("/a/metric", 10)
    answer = box.client().call(RELOAD[0], reload_request("a", "b"), RELOAD[1])

    assert heard == ["a", "b"]
    assert answer.status.error_code == 0
    assert {one.name: one.int64_value_increase for one in answer.metric} == {"/a/metric": 3, "/unknown": 0}


def test_a_reload_that_is_refused_says_why(boxes, refused):
    def reload(_config):
        raise RequestError(Code.FAILED_PRECONDITION, "not now")

    client = boxes(reload=reload).client()
    empty = message("tensorflow.serving.ReloadConfigRequest")()

    assert refused(client.call, RELOAD[0], reload_request("a"), RELOAD[1]) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "not now",
    )
    assert refused(client.call, RELOAD[0], empty, RELOAD[1]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        (
            "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
            "supported"
        ),
    )


def test_a_process_with_a_configuration_of_its_own_takes_none_from_the_network(client, refused):
    assert refused(client.call, RELOAD[0], reload_request("a"), RELOAD[1])[0] is grpc.StatusCode.UNIMPLEMENTED


def test_what_is_not_served_is_unimplemented(client, refused):
    for method in ("tensorflow.ProfilerService/Profile", "tensorflow.serving.SessionService/SessionRun", "a/b"):
        found = refused(client.call, method, b"", "tensorflow.serving.PredictResponse")
        assert found[0] is grpc.StatusCode.UNIMPLEMENTED


def test_calls_are_counted_by_status_and_those_answered_are_measured(box, client, refused):
    client.predict(predict_request(2.0))
    refused(client.predict, predict_request(2.0, name="foo"))

    cells = {name: dict(metric.cells) for name, metric in box.serving.metrics._metrics.items()}
    assert cells[REQUEST_COUNT] == {
        (("model_name", "half"), ("status", "OK")): 1,
        (("model_name", "foo"), ("status", "NOT_FOUND")): 1,
    }
    assert list(cells[REQUEST_LATENCY]) == [(("model_name", "half"), ("API", "Predict"), ("entrypoint", "GRPC"))]
