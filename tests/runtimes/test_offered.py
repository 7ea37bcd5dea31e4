"""A .tflite file without a SavedModel beside it says itself what it takes."""

import shutil

import numpy as np
import pytest
from flatbuffers import flexbuffers
from hypothesis import given
from hypothesis import strategies as st

from appliance.protos import message
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.errors import InvalidInput, LoadRefused
from appliance.runtimes.litert.flexbuffer import texts_of_map
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.wire import WireError
from appliance.serving import ServableId


@pytest.fixture
def served(models, tmp_path):
    """The classifier, of which only the .tflite file is there."""
    folder = tmp_path / "7"
    folder.mkdir()
    shutil.copy(models / "classifier.tflite", folder / "model.tflite")
    loader = SavedModelLoader(folder, RuntimeConfig(cache=tmp_path / "cache", prefer_tflite_model=True))
    yield loader.load(ServableId("surface", 7))
    loader.unload()


def test_its_own_signatures_answer(served, expected):
    assert served.engine_reason == "litert: model.tflite is preferred"
    assert set(served.signatures) == {"serving_default", "best"}
    for count in (5, 1, 3):
        found = served.run("serving_default", {"image": expected["images"][:count]})["scores"]
        np.testing.assert_allclose(found, expected["scores"][:count], atol=1e-5)
    both = served.run_together(["best", "serving_default"], {"image": expected["images"]})
    assert both["best"]["best"].tolist() == expected["scores"].argmax(-1).tolist()


def test_its_signatures_are_told_as_a_saved_models_are(served):
    definition = message("tensorflow.SignatureDef").FromString(served.signature_defs["serving_default"])
    assert definition.method_name == "tensorflow/serving/predict"
    image, scores = definition.inputs["image"], definition.outputs["scores"]
    assert (image.dtype, scores.dtype) == (4, 1)  # DT_UINT8, DT_FLOAT
    assert [dim.size for dim in image.tensor_shape.dim] == [-1, 32, 32, 1]


def test_another_element_type_is_told_in_tensorflows_words(served):
    with pytest.raises(InvalidInput, match=r"^Expects arg\[0\] to be uint8 but float is provided$"):
        served.run("serving_default", {"image": np.zeros((1, 32, 32, 1), np.float32)})


def test_a_shape_that_it_cannot_take_is_refused_and_the_next_one_answers(served, expected):
    with pytest.raises(InvalidInput, match="does not take inputs of shape"):
        served.run("serving_default", {"image": np.zeros((32, 31), np.uint8)})
    assert served.run("serving_default", {"image": expected["images"]})["scores"].shape == (5, 3)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"no model at all")
    loader = SavedModelLoader(tmp_path, RuntimeConfig(cache=tmp_path / "cache", prefer_tflite_model=True))
    with pytest.raises(LoadRefused, match=r"LiteRT cannot run .*model\.tflite"):
        loader.load(ServableId("surface", 7))


@given(
    st.dictionaries(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=9), st.text(max_size=400))
)
def test_texts_in_metadata_are_what_the_library_wrote(texts):
    assert texts_of_map(bytes(flexbuffers.Dumps(texts))) == [texts[key].encode() for key in sorted(texts)]


@given(st.binary(max_size=60), st.sampled_from([b"", bytes([0x24, 1]), bytes([0x25, 2])]))
def test_any_metadata_is_read_or_refused(content, end):
    try:
        texts_of_map(content + end)
    except WireError:
        return


def test_recorded_requests_leave_no_copy_cold(models, tmp_path):
    shutil.copy(models / "classifier.tflite", tmp_path / "model.tflite")
    config = RuntimeConfig(cache=tmp_path / "cache", prefer_tflite_model=True, copies=3)
    loader = SavedModelLoader(tmp_path, config, lambda *_: 1)
    model = loader.load(ServableId("surface", 7))
    assert [set(copy._calls) for copy in model._copies] == [{0, 1}] * 3
    loader.unload()
