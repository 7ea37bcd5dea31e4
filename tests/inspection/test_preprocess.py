"""What the model sees is what the recipe says, pixel for pixel."""

import cv2
import numpy as np
import pytest

from appliance.inspection.errors import FrameUnfit, RecipeError
from appliance.inspection.preprocess import InputSpec, Preprocessor
from camera.frame import Frame, PixelFormat


def frame_of(pixels, pixel_format=PixelFormat.MONO8):
    return Frame(pixels, pixel_format, sequence=0, epoch=1, exposed_ns=0, exposed_utc_ns=0)


def spec(**changes):
    value = {"width": 8, "height": 8, "color": "MONO8", "dtype": "uint8", "resize": "area"}
    return InputSpec.from_metadata({**value, **changes})


@pytest.fixture
def scratch():
    """A dark plate with a bright scratch two pixels wide."""
    pixels = np.full((80, 80), 20, np.uint8)
    pixels[:, 39:41] = 200
    return frame_of(pixels)


def test_a_thin_scratch_survives_the_area_resize_and_not_the_linear_one(scratch):
    area = Preprocessor(spec(resize="area")).apply(scratch)
    linear = Preprocessor(spec(resize="linear")).apply(scratch)
    assert area.max() > 35
    assert linear.max() < area.max()


def test_the_region_is_cut_before_it_is_resized(scratch):
    batch = Preprocessor(spec(roi=[39, 0, 2, 80], width=2, height=80)).apply(scratch)
    assert batch.shape == (1, 80, 2, 1)
    assert (batch == 200).all()


def test_each_named_region_is_a_row_of_the_batch(scratch):
    fitted = Preprocessor(spec(regions={"left": [0, 0, 8, 8], "seam": [36, 0, 8, 8]}))
    batch = fitted.apply(scratch)
    assert [one.region for one in fitted.windows] == ["left", "seam"]
    assert batch[0].max() == 20
    assert batch[1].max() == 200


def test_colours_reach_the_model_in_the_order_it_was_trained_with():
    blue_green_red = np.zeros((8, 8, 3), np.uint8)
    blue_green_red[..., 0], blue_green_red[..., 2] = 10, 200
    seen = Preprocessor(spec(color="RGB8")).apply(frame_of(blue_green_red, PixelFormat.BGR8))
    assert seen[0, 0, 0].tolist() == [200, 0, 10]
    same = Preprocessor(spec(color="BGR8")).apply(frame_of(blue_green_red, PixelFormat.BGR8))
    assert same[0, 0, 0].tolist() == [10, 0, 200]
    grey = Preprocessor(spec()).apply(frame_of(blue_green_red, PixelFormat.BGR8))
    assert grey[0, 0, 0, 0] == cv2.cvtColor(blue_green_red, cv2.COLOR_BGR2GRAY)[0, 0]


def test_float_models_get_scale_and_offset(scratch):
    batch = Preprocessor(spec(dtype="float32", scale=1 / 127.5, offset=-1.0, width=80, height=80)).apply(scratch)
    assert batch.dtype == np.float32
    assert batch.min() == pytest.approx(20 / 127.5 - 1)
    assert batch.max() == pytest.approx(200 / 127.5 - 1)


def test_a_region_beyond_the_picture_is_this_frames_fault_and_says_both_sizes(scratch):
    with pytest.raises(FrameUnfit, match=r"\[70, 0, 20, 20\].*80x80"):
        Preprocessor(spec(roi=[70, 0, 20, 20])).apply(scratch)


@pytest.mark.parametrize("key", ["width", "height", "color", "dtype", "resize"])
def test_nothing_the_model_needs_is_guessed(key):
    value = {"width": 8, "height": 8, "color": "MONO8", "dtype": "uint8", "resize": "area"}
    del value[key]
    with pytest.raises(RecipeError, match=key):
        InputSpec.from_metadata(value)


@pytest.mark.parametrize(
    "change",
    [
        {"color": "RGB"},
        {"dtype": "float64"},
        {"resize": "bilinear"},
        {"width": 0},
        {"scale": 2.0},
        {"roi": [0, 0, 0, 5]},
        {"roi": [0.5, 0, 5, 5]},
        {"regions": {}},
    ],
)
def test_an_input_that_cannot_be_is_refused(change):
    with pytest.raises(RecipeError):
        spec(**change)
