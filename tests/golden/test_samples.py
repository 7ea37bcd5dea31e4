"""The publisher's list of samples, read from a package that may hold anything."""

import json
import os
import pickle
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from running import DEMO_MODEL

from appliance import golden
from appliance.inspection.preprocess import InputSpec
from appliance.runtimes.model import Signature, TensorSpec

SIGNATURE = Signature(
    "serving_default",
    "tensorflow/serving/predict",
    {"image": TensorSpec("image", "uint8", (None, 500, 650, 1))},
    {"scores": TensorSpec("scores", "float32", (None, 5))},
)
MODEL = SimpleNamespace(signatures={"serving_default": SIGNATURE})


@pytest.fixture
def package(tmp_path):
    return shutil.copytree(DEMO_MODEL / "1", tmp_path / "1")


@pytest.fixture
def spec(package):
    said = json.loads((package / "assets.extra" / "inspection.json").read_text())
    return InputSpec.from_metadata(said["input"])


def listing(package, **changes):
    """samples.json with its first sample only, changed."""
    file = package / golden.GOLDEN / "samples.json"
    said = json.loads(file.read_text())
    sample = {**said["samples"][0], **changes.pop("sample", {})}
    file.write_text(json.dumps({**said, "samples": [sample], **changes}))


def why(package, spec):
    """How reading the list, and then each sample, fails."""

    def read_all():
        found = golden.read(package, MODEL)
        for sample in found.samples:
            found.inputs(sample, spec)

    with pytest.raises(golden.GoldenMissing) as failed:
        read_all()
    assert "appliance lint" in str(failed.value)
    return str(failed.value)


def test_the_demo_models_samples_can_be_read(package, spec):
    found = golden.read(package, MODEL)
    assert len(found.samples) == 6
    for sample in found.samples:
        assert found.inputs(sample, spec).shape == (1, 500, 650, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"samples": []}, "samples"),
        ({"samples": [{"file": "x.jpg", "scores": [1]}] * 257}, "at most 256"),
        ({"sample": {"file": "../inspection.json"}}, "samples.0.file"),
        ({"sample": {"file": "/etc/hostname"}}, "samples.0.file"),
        ({"sample": {"file": "gone.jpg"}}, "gone.jpg"),
        ({"sample": {"scores": []}}, "samples.0.scores"),
        ({"sample": {"scores": [[1.0], [1.0, 2.0]]}}, "different numbers"),
        ({"sample": {"tolerance": 3}}, "samples.0.tolerance"),
        ({"sample": {"tolerance": 0}}, "samples.0.tolerance"),
        ({"output": "other"}, "'other'"),
        ({"input": "other"}, "'other'"),
        ({"signature": "other"}, "'other'"),
        ({"sample": {"file": "samples.json"}}, "samples.json"),
    ],
)
def test_a_list_that_is_none_is_said(changes, said, package, spec):
    listing(package, **changes)
    assert said in why(package, spec)


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"\xff\xfe", b'{"samples": NaN}', b"0" * (5 << 20)])
def test_what_is_no_json_object_is_said(content, package, spec):
    (package / golden.GOLDEN / "samples.json").write_bytes(content)
    assert "samples.json cannot be read" in why(package, spec)


def test_a_picture_of_another_size_is_said(package, spec):
    cv2.imwrite(str(package / golden.GOLDEN / "large.png"), np.zeros((1200, 1920), np.uint8))
    listing(package, sample={"file": "large.png"})
    assert "1920x1200 pixels, and the model sees 650x500" in why(package, spec)


def test_a_frame_too_small_for_the_packages_region_is_said(package, spec):
    cv2.imwrite(str(package / golden.GOLDEN / "small.png"), np.zeros((500, 650), np.uint8))
    listing(package, sample={"file": "small.png", "frame": True})
    assert "small.png" in why(package, spec)


def test_a_pipe_named_like_a_picture_does_not_keep_it_waiting(package, spec):
    os.mkfifo(package / golden.GOLDEN / "pipe.jpg")
    listing(package, sample={"file": "pipe.jpg"})
    assert "it is no file" in why(package, spec)


def array(package, content):
    np.save(package / golden.GOLDEN / "input.npy", content, allow_pickle=True)
    listing(package, sample={"file": "input.npy"})


def test_an_array_is_given_as_it_is(package, spec):
    given = np.random.default_rng(0).integers(0, 256, (1, 500, 650, 1), np.uint8)
    array(package, given)
    found = golden.read(package, MODEL)
    assert np.array_equal(found.inputs(found.samples[0], spec), given)


def test_an_array_of_another_type_is_said(package, spec):
    array(package, np.zeros((1, 500, 650, 1), np.float32))
    assert "float32" in why(package, spec)


def test_an_array_of_another_shape_is_said(package, spec):
    array(package, np.zeros((1, 50, 65, 1), np.uint8))
    assert "[1, 50, 65, 1]" in why(package, spec)


class Trap:
    def __reduce__(self):
        return os.abort, ()


def test_an_array_of_objects_is_never_unpickled(package, spec):
    array(package, np.array([Trap()], object))
    assert "input.npy" in why(package, spec)


def test_a_pickle_named_like_an_array_is_never_unpickled(package, spec):
    (package / golden.GOLDEN / "input.npy").write_bytes(pickle.dumps(Trap()))
    listing(package, sample={"file": "input.npy"})
    assert "input.npy" in why(package, spec)


def test_an_array_that_promises_more_than_there_is_is_said(package, spec):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999,), }\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"x"
    (package / golden.GOLDEN / "input.npy").write_bytes(content)
    listing(package, sample={"file": "input.npy"})
    assert "input.npy" in why(package, spec)
