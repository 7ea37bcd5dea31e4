"""What only TensorFlow Serving's own test models show; skipped where they do not lie beside the checkout."""

import grpc
import pytest
from served import refused


def test_classify_is_held_to_the_signatures_method(server, shared_model):
    model = shared_model("tfs_models", "saved_model_half_plus_two_cpu")
    strict = server(f"--model_base_path={model}", "--enable_signature_method_name_check=true").up()
    assert refused(strict.client().classify, "default") == (
        "INVALID_ARGUMENT",
        (
            "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
            "tensorflow/serving/predict"
        ),
    )


def test_a_counter_of_tensorflow_1(server, shared_model):
    client = server(f"--model_base_path={shared_model('tfs_models', 'saved_model_counter')}").up().client()
    said = [
        client.predict("default", signature=signature, **inputs)[1]
        for signature, inputs in (
            ("get_counter", {}),
            ("incr_counter", {}),
            ("reset_counter", {}),
            ("incr_counter", {}),
            ("incr_counter_by", {"delta": 3.0}),
        )
    ]
    assert said == [[0.0], [1.0], [0.0], [1.0], [4.0]]


@pytest.mark.parametrize("name", ["saved_model_half_plus_two_tflite", "saved_model_half_plus_two_tflite_with_sigdef"])
def test_a_model_of_tensorflow_lite_is_preferred(server, shared_model, name):
    box = server(f"--model_base_path={shared_model('tfs_models', name)}", "--prefer_tflite_model=true").up()
    assert box.client().predict("default", x=[2.0])[1] == [3.0]


def test_without_a_tensorflow_lite_model_the_other_serves(server, shared_model):
    model = shared_model("tfs_models", "saved_model_half_plus_two_cpu")
    box = server(f"--model_base_path={model}", "--prefer_tflite_model").up()
    assert box.client().predict("default", x=[2.0])[1] == [3.0]


@pytest.mark.parametrize(
    ("name", "flags", "starts"),
    [
        ("warmup_ok", [], True),
        ("warmup_fails_signature", [], False),
        ("warmup_fails_signature", ["--enable_model_warmup=false"], True),
        ("warmup_truncated", [], False),
    ],
)
def test_recorded_requests_are_replayed_before_a_version_serves(server, shared_model, name, flags, starts):
    box = server(f"--model_base_path={shared_model('tfs_models_synth', name)}", *flags)
    if starts:
        box.up()
    else:
        assert box.exit_code() == 1
        assert "servable(s) did not become available" in box.log()
        assert "Traceback" not in box.log()


def test_two_real_versions_swap(server, shared_model):
    model = shared_model("tfs_models", "saved_model_half_plus_two_2_versions")
    client = server(f"--model_base_path={model}").up().client()
    assert client.predict("default", x=[2.0]) == (124, [3.0])
    with pytest.raises(grpc.RpcError):
        client.predict("default", version=123, x=[2.0])
