"""A version directory says what it is, without TensorFlow."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.runtimes.description import describe
from appliance.runtimes.errors import LoadRefused, NotASavedModel


def test_signatures_are_read_with_their_types_and_open_sizes(models):
    signatures = describe(models / "classifier").signatures
    assert set(signatures) == {"serving_default", "same", "best"}
    image = signatures["serving_default"].inputs["image"]
    assert (image.dtype, image.shape) == ("uint8", (None, 32, 32, 1))
    assert signatures["serving_default"].outputs["scores"].shape == (None, 3)
    assert signatures["best"].outputs["best"].dtype == "int64"
    assert signatures["best"].method == "tensorflow/serving/predict"


def test_text_is_called_object_and_truth_bool(models):
    text = describe(models / "text").signatures["serving_default"]
    assert {alias: spec.dtype for alias, spec in text.inputs.items()} == {"text": "object", "shout": "bool"}


def test_what_only_initialises_is_no_signature_to_call(models):
    assert "__saved_model_init_op" in describe(models / "affine").left_out


def test_the_inspection_page_comes_with_it(models):
    assert describe(models / "classifier").metadata == {"labels": ["good", "scratch", "dent"]}
    assert describe(models / "affine").metadata == {}


def test_describing_takes_no_tensorflow(models):
    describe(models / "classifier")
    assert "tensorflow" not in sys.modules


@pytest.fixture
def copy(models, tmp_path):
    return Path(shutil.copytree(models / "affine", tmp_path / "affine"))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotASavedModel, match="missing is no directory"):
        describe(tmp_path / "missing")


def test_a_folder_without_a_graph_is_no_saved_model(tmp_path):
    with pytest.raises(NotASavedModel, match=r"not a SavedModel: it has no saved_model\.pb"):
        describe(tmp_path)


def test_an_empty_graph_is_damaged(copy):
    (copy / "saved_model.pb").write_bytes(b"")
    with pytest.raises(NotASavedModel, match="damaged"):
        describe(copy)


def test_other_tags_are_told(copy):
    with pytest.raises(NotASavedModel, match="no graph tagged gpu; it has serve"):
        describe(copy, ("gpu",))


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_an_inspection_page_that_is_no_object_is_refused(copy, content):
    (copy / "assets.extra").mkdir()
    (copy / "assets.extra" / "inspection.json").write_bytes(content)
    with pytest.raises(LoadRefused, match=r"inspection\.json"):
        describe(copy)


def test_an_inspection_page_has_a_largest_size(copy):
    (copy / "assets.extra").mkdir()
    (copy / "assets.extra" / "inspection.json").write_text(json.dumps({"much": "x" * (4 << 20)}))
    with pytest.raises(NotASavedModel, match="longer than"):
        describe(copy)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_disk_does_to_the_graph_is_a_sentence_and_nothing_else(models, copy, data):
    content = bytearray((models / "affine" / "saved_model.pb").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(1, len(content)))
    (copy / "saved_model.pb").write_bytes(content[:cut])
    said = str(copy)
    try:
        describe(copy)
    except NotASavedModel as error:
        said = str(error)
    assert str(copy) in said
