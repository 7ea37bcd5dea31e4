"""TensorFlow Serving's own test models, where they lie beside the checkout: what its clients see of them."""

import logging

import numpy as np
import pytest

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving import LoadRefused, ServableId

ID = ServableId("default", 123)


@pytest.fixture
def served(shared, tmp_path):
    """Load one of them with given settings; unloaded afterwards."""
    held = []

    def load(name, **settings):
        folder = next(found for found in shared.glob(f"*/{name}/*") if found.is_dir())
        config = RuntimeConfig(cache=tmp_path / "cache", engines=("tensorflow-saved-model",), **settings)
        loader = SavedModelLoader(folder, config)
        model = loader.load(ID)
        held.append(loader)
        return model

    yield load
    for loader in held:
        loader.unload()


def test_an_input_has_the_type_that_the_graph_reads_and_not_the_one_that_its_signature_claims(served):
    model = served("saved_model_half_plus_three")
    signature = model.signatures["tensorflow/serving/regress"]
    assert signature.inputs["inputs"].dtype == "object"  # the signature says float
    feature = b"\n\x01x\x12\x08\x12\x06\n\x04\x00\x00\x00@"  # {"x": [2.0]}
    example = b"\n\x0f" + b"\n\x0d" + feature
    found = model.run("tensorflow/serving/regress", {"inputs": np.array([example], object)})
    assert found["outputs"].tolist() == [[4.0]]


def test_a_counter_counts(served):
    model = served("saved_model_counter")

    def ask(signature, **inputs):
        (found,) = model.run(signature, inputs).values()
        assert (found.shape, found.dtype) == ((), np.float32)
        return float(found)

    assert ask("get_counter") == 0.0
    assert ask("incr_counter") == 1.0
    assert ask("reset_counter") == 0.0
    assert ask("incr_counter") == 1.0
    assert ask("incr_counter_by", delta=np.array(3.0, np.float32)) == 4.0


def test_a_graph_that_names_a_gpu_runs_without_one(served):
    model = served("saved_model_half_plus_two_gpu")
    assert model.run("serving_default", {"x": np.array([2.0], np.float32)})["y"].tolist() == [3.0]


def test_a_version_with_settings_of_its_own_is_served_and_what_is_left_out_is_said(served, caplog):
    with caplog.at_level(logging.WARNING):
        model = served("saved_model_half_plus_two_cpu_with_saved_model_config")
    assert model.run("serving_default", {"x": np.array([2.0], np.float32)})["y"].tolist() == [3.0]
    assert "saved_model_config.pb asks for operations on other machines (remote_op_remap_config) and" in caplog.text


@pytest.mark.parametrize(
    ("name", "alias"),
    [("saved_model_half_plus_two_tflite", "x"), ("saved_model_half_plus_two_tflite_with_sigdef", "x")],
)
def test_a_tflite_file_serves_by_itself(served, name, alias):
    model = served(name, prefer_tflite_model=True)
    assert model.engine == "litert"
    assert model.run("serving_default", {alias: np.array([2.0], np.float32)})["y"].ravel().tolist() == [3.0]
    many = np.array([[1.0], [2.0], [3.0]], np.float32)
    assert model.run("serving_default", {alias: many})["y"].tolist() == [[2.5], [3.0], [3.5]]


def test_without_a_tflite_file_the_saved_model_serves(served):
    assert served("saved_model_half_plus_two_cpu", prefer_tflite_model=True).engine == "tensorflow-saved-model"


def test_a_tflite_file_that_takes_text_is_refused_in_a_sentence(served):
    with pytest.raises(LoadRefused, match="its tensor 'input' is text, which cannot be given to LiteRT here"):
        served("parse_example_tflite", prefer_tflite_model=True)


def test_what_is_no_saved_model_is_refused(served):
    with pytest.raises(LoadRefused, match=r"it has no saved_model\.pb"):
        served("bad_half_plus_two")
