"""A part that lies slanted is made upright; corners that are none are refused with what to write instead."""

import cv2
import numpy as np
import pytest

from appliance.inspection.errors import FrameUnfit, RecipeError
from appliance.inspection.preprocess import InputSpec, Preprocessor
from camera.frame import Frame, PixelFormat

CORNERS = [[60, 40], [250, 70], [230, 190], [40, 160]]


def spec(**changes):
    value = {"width": 96, "height": 64, "color": "MONO8", "dtype": "uint8", "resize": "area"}
    value["perspective"] = {"corners": CORNERS, "width": 192, "height": 128}
    return InputSpec.from_metadata({**value, **changes})


def frame_of(pixels):
    kind = PixelFormat.MONO8 if pixels.ndim == 2 else PixelFormat.BGR8
    return Frame(pixels, kind, sequence=0, epoch=1, exposed_ns=0, exposed_utc_ns=0)


@pytest.fixture
def slanted():
    """An upright picture with a different grey in each quarter, as a slanted camera would see it; black around it."""
    upright = np.zeros((128, 192), np.uint8)
    upright[:64, :96], upright[:64, 96:], upright[64:, 96:], upright[64:, :96] = 50, 100, 150, 200
    there = np.array([[0, 0], [191, 0], [191, 127], [0, 127]], np.float32)
    matrix = cv2.getPerspectiveTransform(there, np.array(CORNERS, np.float32))
    return cv2.warpPerspective(upright, matrix, (320, 240), flags=cv2.INTER_LINEAR)


def test_each_quarter_of_a_slanted_part_comes_where_it_belongs(slanted):
    batch = Preprocessor(spec()).apply(frame_of(slanted))
    assert batch.shape == (1, 64, 96, 1)
    quarters = [batch[0, y, x, 0] for y, x in ((16, 24), (16, 72), (48, 72), (48, 24))]
    assert quarters == pytest.approx([50, 100, 150, 200], abs=1)
    assert batch.min() > 40, "nothing of what lies around the part is seen"


def test_regions_are_counted_in_the_upright_picture(slanted):
    regions = {"lower_right": [104, 72, 80, 48], "upper_left": [8, 8, 80, 48]}
    batch = Preprocessor(spec(regions=regions)).apply(frame_of(slanted))
    assert [int(np.median(row)) for row in batch] == pytest.approx([150, 50], abs=1)


def test_a_part_that_lies_on_its_side_is_turned(slanted):
    turned = [*CORNERS[1:], CORNERS[0]]
    upright = {"corners": turned, "width": 128, "height": 192}
    batch = Preprocessor(spec(perspective=upright, width=64, height=96)).apply(frame_of(slanted))
    assert [int(batch[0, y, x, 0]) for y, x in ((24, 16), (24, 48))] == pytest.approx([100, 150], abs=1)


def test_colours_stay_what_they_are(slanted):
    colours = np.dstack([slanted, slanted // 2, slanted // 4])
    batch = Preprocessor(spec(color="RGB8")).apply(frame_of(colours))
    assert batch[0, 48, 24].tolist() == pytest.approx([50, 100, 200], abs=1)


def test_every_frame_is_rectified_anew(slanted):
    both = Preprocessor(spec())
    bright = both.apply(frame_of(slanted)).copy()
    dark = both.apply(frame_of(slanted // 2))
    assert dark.mean() == pytest.approx(bright.mean() / 2, abs=1)


def test_a_scratch_one_pixel_wide_survives_at_any_place():
    """The least that is left of it in the upright picture, over where it may lie between the pixels."""
    left = []
    for place in range(120, 132):
        picture = np.full((240, 320), 60, np.uint8)
        picture[:, place] = 140
        upright = {"corners": [[10, 10], [300, 10], [300, 200], [10, 200]], "width": 194, "height": 128}
        seen = Preprocessor(spec(perspective=upright, width=194, height=128)).apply(frame_of(picture))
        left.append(int(seen.max()) - 60)
    assert min(left) >= 15


def test_corners_outside_the_frame_are_this_frames_fault(slanted):
    with pytest.raises(FrameUnfit, match=r"\[250, 70\].*200x240"):
        Preprocessor(spec()).apply(frame_of(np.ascontiguousarray(slanted[:, :200])))


@pytest.mark.parametrize(
    ("corners", "says"),
    [
        ([CORNERS[0], CORNERS[3], CORNERS[2], CORNERS[1]], "wrong way"),
        ([CORNERS[0], CORNERS[2], CORNERS[1], CORNERS[3]], "lines between them cross"),
        ([[0, 0], [100, 0], [200, 0], [0, 100]], "three lie on one line"),
        ([[60, 40], [250, 70], [120, 90], [40, 160]], "not the outline"),
        (CORNERS[:3], "four"),
        ([*CORNERS[:3], [1, 2, 3]], "four"),
        ([*CORNERS[:3], ["a", 2]], "four"),
        ([*CORNERS[:3], [-5, 160]], "four"),
        ([*CORNERS[:3], [float("nan"), 160]], "four"),
        (None, "four"),
    ],
)
def test_corners_that_are_none_are_refused_with_their_order(corners, says):
    with pytest.raises(RecipeError, match=says) as error:
        spec(perspective={"corners": corners, "width": 192, "height": 128})
    assert "upper left, upper right, lower right, lower left" in str(error.value)


def test_an_upright_picture_that_would_lose_scratches_is_refused_with_the_size_to_write():
    with pytest.raises(RecipeError, match=r"width = 193 and height = 122"):
        spec(perspective={"corners": CORNERS, "width": 96, "height": 64})


def test_roi_and_perspective_together_are_refused():
    with pytest.raises(RecipeError, match="both say where the part is"):
        spec(roi=[0, 0, 100, 100])
