"""Tiles cover a region whole, overlap as asked, and are called by their place."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.inspection.errors import RecipeError
from appliance.inspection.preprocess import InputSpec, Preprocessor, preprocess_picture
from appliance.inspection.preprocess.tiles import Tiles
from camera.frame import Frame, PixelFormat

INPUT = {"width": 32, "height": 32, "color": "MONO8", "dtype": "uint8", "resize": "area"}


def spec(**changes):
    return InputSpec.from_metadata({**INPUT, "tiles": {"width": 64, "height": 64, "overlap": 8}, **changes})


def frame_of(pixels):
    return Frame(pixels, PixelFormat.MONO8, sequence=0, epoch=1, exposed_ns=0, exposed_utc_ns=0)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(1, 60), st.integers(1, 40), st.integers(1, 40), st.data())
def test_every_pixel_lies_in_a_tile_and_neighbours_overlap_as_asked(width, height, wide, high, data):
    wide, high = min(wide, width), min(high, height)
    overlap = data.draw(st.integers(0, min(wide, high) - 1))
    tiles = Tiles(wide, high, overlap)
    seen = np.zeros((height, width), int)
    places = list(tiles.cover((0, 0, width, height)))
    for _, (x, y, w, h) in places:
        assert (w, h) == (wide, high)
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        seen[y : y + h, x : x + w] += 1
    assert seen.min() >= 1
    assert len(places) == len({name for name, _ in places}) == tiles.count((0, 0, width, height))
    lefts = sorted({x for _, (x, _, _, _) in places})
    assert all(right - left <= wide - overlap for left, right in pairwise(lefts))


def test_a_scratch_is_in_the_tile_that_is_called_by_its_place():
    pixels = np.full((300, 400), 20, np.uint8)
    pixels[150:152, 290:296] = 200
    fitted = Preprocessor(spec(roi=[100, 100, 256, 128]))
    batch = fitted.apply(frame_of(pixels))
    brightest = int(batch.reshape(len(batch), -1).max(1).argmax())
    assert fitted.windows[brightest].name == "r1c4"
    assert [one.name for one in fitted.windows] == [f"r{row}c{column}" for row in (1, 2, 3) for column in range(1, 6)]


def test_tiles_of_a_region_carry_its_name_and_lie_in_it():
    fitted = spec(roi=[10, 20, 300, 200], regions={"left": [0, 0, 64, 64], "right": [100, 50, 120, 64]})
    windows = fitted.windows()
    assert [(one.name, one.region) for one in windows] == [
        ("left/r1c1", "left"),
        ("right/r1c1", "right"),
        ("right/r1c2", "right"),
    ]
    assert windows[2].rectangle == (156, 50, 64, 64)


def test_tiles_keep_what_shrinking_the_whole_region_would_lose():
    pixels = np.full((512, 512), 100, np.uint8)
    pixels[200:203, 200:260] = 60
    whole = preprocess_picture(pixels, {**INPUT, "roi": [0, 0, 512, 512]}, "Mono8")
    tiled = preprocess_picture(
        pixels, {**INPUT, "roi": [0, 0, 512, 512], "tiles": {"width": 64, "height": 64}}, "Mono8"
    )
    assert whole.min() > 85
    assert tiled.min() < 65


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "needs roi, perspective or regions"),
        ({"roi": [0, 0, 60, 200]}, "'roi' is only 60x200"),
        ({"regions": {"left": [0, 0, 64, 63]}}, "'left' is only 64x63"),
        ({"roi": [0, 0, 100, 100], "tiles": {"width": 64, "height": 64, "overlap": 64}}, "smaller than a tile"),
        ({"roi": [0, 0, 100, 100], "tiles": {"width": 64}}, "width, height, overlap"),
        ({"roi": [0, 0, 100, 100], "tiles": {"width": 64, "height": True}}, "width, height, overlap"),
        ({"roi": [0, 0, 100, 100], "tiles": {"width": 64, "height": 64, "size": 1}}, "width, height, overlap"),
        ({"roi": [0, 0, 100, 100], "tiles": {"width": 64, "height": -64}}, "width, height, overlap"),
        (
            {"roi": [0, 0, 8192, 8192], "tiles": {"width": 8, "height": 8}, "width": 224, "height": 224},
            "MB are allowed",
        ),
    ],
)
def test_tiles_that_cannot_be_are_refused(changes, says):
    with pytest.raises(RecipeError, match=says):
        spec(**changes)
