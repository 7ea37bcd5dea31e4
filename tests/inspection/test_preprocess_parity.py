"""What `resize` promises is what TensorFlow does in training, and what it keeps of a scratch."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from appliance.inspection.preprocess import preprocess_picture

INPUT = {"width": 224, "height": 224, "color": "MONO8", "dtype": "uint8", "resize": "area"}
TENSORFLOW = """
import os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
import numpy as np, tensorflow as tf
given = np.load(sys.argv[1])
np.savez(sys.argv[2], **{
    f"{name} {method}": tf.image.resize(given[name][None], (224, 224), method=method)[0].numpy()
    for name in given.files for method in ("area", "bilinear")
})
"""


def residual(resize, place):
    """What is left at 224 of a scratch two pixels wide and 80 levels brighter, in a picture of 1920x1200."""
    pixels = np.full((1200, 1920), 60, np.uint8)
    pixels[:, place : place + 2] = 140
    return int(preprocess_picture(pixels, {**INPUT, "resize": resize}, "Mono8").max()) - 60


def test_a_scratch_two_pixels_wide_vanishes_by_linear_and_stays_by_area():
    places = range(600, 618)
    linear, area = ([residual(resize, place) for place in places] for resize in ("linear", "area"))
    assert sum(left == 0 for left in linear) > len(linear) / 2, "in most places nothing at all is left of it"
    assert min(area) >= 9


@pytest.fixture(scope="module")
def pictures():
    """Noise and edges, where methods differ most; as photographs are, and as the line's are."""
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (1200, 1920, 1), np.uint8)
    edges = np.kron(rng.integers(0, 2, (75, 120, 3), np.uint8) * 255, np.ones((16, 16, 1), np.uint8))
    return {"noise": noise, "edges": edges, "photograph": cv2.GaussianBlur(edges, (31, 31), 0)[:900, :1300]}


@pytest.fixture(scope="module")
def by_tensorflow(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("resized")
    np.savez(folder / "given.npz", **pictures)
    command = [sys.executable, "-c", TENSORFLOW, str(folder / "given.npz"), str(folder / "resized.npz")]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    with np.load(folder / "resized.npz") as found:
        return dict(found)


# Rounding to a whole level costs 0.5; for linear OpenCV also rounds its weights: 0.80 at worst, in pure noise.
@pytest.mark.parametrize(("ours", "theirs", "levels"), [("area", "area", 0.51), ("linear", "bilinear", 0.85)])
@pytest.mark.parametrize("name", ["noise", "edges", "photograph"])
def test_resizing_is_what_tensorflow_does_in_training(pictures, by_tensorflow, name, ours, theirs, levels):
    pixels = pictures[name]
    is_mono = pixels.shape[2] == 1
    said = {**INPUT, "resize": ours, "color": "MONO8" if is_mono else "BGR8"}
    here = preprocess_picture(pixels[..., 0] if is_mono else pixels, said, "Mono8" if is_mono else "BGR8")[0]
    assert np.abs(here.astype(np.float32) - by_tensorflow[f"{name} {theirs}"]).max() <= levels


def test_area_and_bilinear_are_not_the_same(pictures, by_tensorflow):
    here = preprocess_picture(pictures["noise"][..., 0], INPUT, "Mono8")[0]
    assert np.abs(here.astype(np.float32) - by_tensorflow["noise bilinear"]).max() > 60


def test_training_needs_no_tensorflow_to_see_as_the_box_does():
    program = "import sys; from appliance.inspection import preprocess_picture; print('tensorflow' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == "False"
