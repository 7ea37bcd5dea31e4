"""What the quality gate keeps from the model, and what it lets through: the demo's limits on parts it never saw."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tomllib
from pydantic import ValidationError

from appliance.inspection.measure import Measurer
from appliance.inspection.quality import QualityConfig, QualityGate
from appliance.inspection.result import Reason
from camera.conveyor import KINDS, Scene
from camera.frame import Frame, PixelFormat

ROOT = Path(__file__).parents[2]
LEARNT = ROOT / "appliance" / "demo" / "quality.toml"
SEED = 7100
"""Of no scene that limits were learnt from, or that was measured."""


@pytest.fixture(scope="module")
def scene():
    return Scene(SEED)


@pytest.fixture(scope="module")
def spoilt(scene):
    """Name: pictures, each a good part's spoilt in one way."""
    sys.path.insert(0, str(ROOT / "deploy" / "demo_model"))
    try:
        from quality import spoilt_ways  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(ROOT / "deploy" / "demo_model"))
        for name in ("quality", "parts", "limits"):
            sys.modules.pop(name, None)
    ways = {}
    for index in range(3):
        for name, picture in spoilt_ways(scene.part(index, "good")[0], np.random.default_rng(index)):
            ways.setdefault(name, []).append(picture)
    return ways


@pytest.fixture(scope="module")
def gate():
    return QualityGate(QualityConfig.model_validate(tomllib.loads(LEARNT.read_text())["recipes"]["demo"]["quality"]))


def frame_of(pixels, pixel_format=PixelFormat.MONO8, exposed_ns=0):
    return Frame(pixels, pixel_format, sequence=0, epoch=1, exposed_ns=exposed_ns, exposed_utc_ns=0)


def test_good_parts_and_parts_with_plain_defects_are_for_the_model(gate, scene):
    for index in range(25):
        for kind in ("good", KINDS[1 + index % 4]):
            unfit = gate.check(frame_of(scene.part(index, kind, 1.0)[0]), 0)
            assert unfit is None, (index, kind, unfit)


@pytest.mark.parametrize(
    ("way", "reason", "says"),
    [
        ("no part", Reason.FRAME_UNFAMILIAR, "does not look like the good ones"),
        ("25% of the part outside", Reason.FRAME_UNFAMILIAR, "look whether the part is there, whole, in its place"),
        ("50% of the part outside", Reason.FRAME_UNFAMILIAR, "grey levels outside their bounds"),
        ("part 300 pixels from its place", Reason.FRAME_UNFAMILIAR, "most of it in the"),
        ("lower part missing, black", Reason.FRAME_UNFAMILIAR, "(too dark)"),
        ("something of 500 pixels before the part", Reason.FRAME_UNFAMILIAR, "(too dark)"),
        ("one grey", Reason.FRAME_UNFAMILIAR, "good ones"),
        ("out of focus, sigma 1.0 pixels", Reason.FRAME_BLURRED, "of at least 876.2; look at focus"),
        ("out of focus, sigma 4.0 pixels", Reason.FRAME_BLURRED, "look at focus, vibration, the exposure time"),
        ("moved by 21 pixels while exposed", Reason.FRAME_BLURRED, "The picture is blurred: sharpness"),
        ("light times 0.5", Reason.FRAME_TOO_DARK, "look at the lamp"),
        ("black", Reason.FRAME_TOO_DARK, "mean grey level 0.0 of at least 86.2"),
        ("dark, noise only", Reason.FRAME_TOO_DARK, "exposure time"),
        ("light times 2.0", Reason.FRAME_TOO_BRIGHT, "exposure time"),
        ("white", Reason.FRAME_TOO_BRIGHT, "mean grey level 255.0 of at most 131.2"),
    ],
)
def test_a_picture_that_cannot_be_judged_is_told_by_its_cause(gate, spoilt, way, reason, says):
    for picture in spoilt[way]:
        unfit = gate.check(frame_of(picture), 0)
        assert unfit is not None
        assert unfit.reason is reason, unfit
        assert says in unfit.detail


@pytest.mark.parametrize(
    ("values", "shape", "pixel_format", "says"),
    [
        ({"width": 60}, (40, 64), PixelFormat.MONO8, "64 pixels wide, and the recipe is made for 60"),
        ({"height": 50}, (40, 64), PixelFormat.MONO8, "40 pixels high, and the recipe is made for 50"),
        ({"pixel_format": "Mono8"}, (40, 64, 3), PixelFormat.BGR8, "pixel format is BGR8"),
        ({"region": (10, 10, 60, 20), "min_contrast": 1}, (40, 64), PixelFormat.MONO8, "reaches beyond the picture"),
    ],
)
def test_a_picture_of_another_kind_is_not_measured_but_refused(values, shape, pixel_format, says):
    unfit = QualityGate(QualityConfig(**values)).check(frame_of(np.zeros(shape, np.uint8), pixel_format), 0)
    assert unfit is not None
    assert unfit.reason is Reason.FRAME_UNFIT
    assert says in unfit.detail


def test_a_picture_that_is_too_old_is_stale():
    gate = QualityGate(QualityConfig(max_age_ms=50))
    old = frame_of(np.zeros((40, 64), np.uint8), exposed_ns=1_000_000_000)
    assert gate.check(old, 1_050_000_000) is None
    unfit = gate.check(old, 1_090_000_000)
    assert unfit is not None
    assert unfit.reason is Reason.FRAME_STALE
    assert "90 ms old, and 50 are allowed" in unfit.detail


def test_what_has_no_limit_is_not_checked():
    assert QualityGate(QualityConfig()).check(frame_of(np.zeros((40, 64), np.uint8)), 10**12) is None


def test_each_limit_stands_alone():
    flat, half = np.full((40, 64), 128, np.uint8), np.zeros((40, 64), np.uint8)
    half[:, 32:] = 255
    for values, picture, reason in (
        ({"min_contrast": 5}, flat, Reason.FRAME_LOW_CONTRAST),
        ({"max_black": 0.4}, half, Reason.FRAME_TOO_DARK),
        ({"max_blown_out": 0.4}, half, Reason.FRAME_TOO_BRIGHT),
        ({"max_brightness": 100}, flat, Reason.FRAME_TOO_BRIGHT),
        ({"min_sharpness": 1}, flat, Reason.FRAME_BLURRED),
    ):
        gate = QualityGate(QualityConfig(**values))
        assert gate.check(frame_of(picture), 0).reason is reason
        other = flat if picture is half else half
        assert reason is Reason.FRAME_TOO_BRIGHT or gate.check(frame_of(other), 0) is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"min_brightness": 100, "max_brightness": 50}, "min_brightness is above max_brightness"),
        ({"cells_low": [[1, 2], [3, 4]]}, "belong together"),
        ({"cells_low": [[1, 2], [3, 4]], "cells_high": [[9, 9, 9], [9, 9, 9]], "max_outside": 1}, "the same rows"),
        ({"cells_low": [[1, 2], [3, 4]], "cells_high": [[9, 9], [9, 1]], "max_outside": 1}, "above its cells_high"),
        ({"width": 100, "height": 100, "region": [50, 0, 60, 10]}, "reaches beyond"),
        ({"min_sharpnes": 5}, "Extra inputs"),
    ],
)
def test_limits_that_no_picture_could_keep_are_refused_when_the_file_is_read(values, says):
    with pytest.raises(ValidationError, match=says):
        QualityConfig.model_validate(values)


def test_colour_is_measured_as_its_luminance(scene):
    grey = scene.part(1, "good")[0]
    of_grey = Measurer(grid=(6, 8)).measure(grey, PixelFormat.MONO8)
    for pixel_format in (PixelFormat.BGR8, PixelFormat.RGB8):
        of_colour = Measurer(grid=(6, 8)).measure(cv2.merge([grey] * 3), pixel_format)
        assert of_colour.brightness == pytest.approx(of_grey.brightness, abs=0.5)
        assert of_colour.sharpness == pytest.approx(of_grey.sharpness, rel=0.02)
        assert of_colour.cells == pytest.approx(of_grey.cells, abs=1.0)


def test_a_picture_of_any_size_is_measured():
    rng = np.random.default_rng(1)
    for shape in ((2, 2), (7, 3), (3, 3000), (1025, 1025), (2050, 2449)):
        picture = rng.integers(0, 256, shape, dtype=np.uint8)
        found = Measurer(grid=(2, 3)).measure(picture, PixelFormat.MONO8)
        assert found.brightness == pytest.approx(picture.mean(), abs=2.5)
        assert found.cells.shape == (2, 3)


def test_on_the_line_a_picture_without_a_part_is_undefined_and_the_model_never_sees_it(
    appliance, subscriber, scene, tmp_path
):
    folder = tmp_path / "pictures"
    folder.mkdir()
    good = scene.part(0, "good")[0]
    shown = {
        "a_good.png": good,
        "b_white.png": np.full_like(good, 255),
        "c_blurred.png": cv2.GaussianBlur(good, (0, 0), 3),
    }
    shown["d_belt.png"] = np.tile(good[:, :200], (1, 10))[:, :1920]
    for name, picture in shown.items():
        cv2.imwrite(str(folder / name), picture)
    learnt = LEARNT.read_text().replace("[recipes.demo.quality]", "[recipes.part.quality]")
    camera = f'driver = "folder"\nfolder = "{folder}"\nrepeat = false'
    line = appliance(camera=camera, line="takt_ms = 400", recipe="deadline_ms = 400", model=learnt).start("--once")
    assert line.wait(120) == 0, line.log()
    said = [(result["evaluation"], result["reason"], result["verdict"]) for result in subscriber.results]
    assert said == [
        ("OK", None, "pass"),
        ("Undefined", "FRAME_TOO_BRIGHT", "fail"),
        ("Undefined", "FRAME_BLURRED", "fail"),
        ("Undefined", "FRAME_UNFAMILIAR", "fail"),
    ]
    assert all(result["classes"] == [] for result in subscriber.results[1:])
