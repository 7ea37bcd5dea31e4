"""`appliance camera learn`: limits from good pictures, and what is said where these teach nothing."""

import cv2
import numpy as np
import pytest

from appliance.commissioning import config_edit
from appliance.commissioning.learnt import learn
from appliance.config import load_config
from appliance.errors import ConfigError
from appliance.inspection.measure import Measurer
from appliance.inspection.quality import QualityGate
from camera.conveyor import Scene
from camera.frame import Frame, PixelFormat

VIRTUAL = 'driver = "virtual"\nwidth_px = 480\nheight_px = 300\nlatency_s = 0.001\nseed = 11\ndefect_rate = 0.0'
ROI = [78, 25, 325, 250]
QUALITY = ("recipes", "part", "quality")


@pytest.fixture(scope="module")
def scene():
    return Scene(12, (300, 480))


@pytest.fixture
def good_folder(scene, tmp_path):
    def write(count, change=lambda _index, picture: picture):
        folder = tmp_path / "good"
        folder.mkdir(exist_ok=True)
        for index in range(count):
            picture = change(index, scene.part(index, "good")[0])
            cv2.imwrite(str(folder / f"part{index:03d}.png"), picture)
        return folder

    return write


@pytest.fixture
def file(config_file):
    """The operator's, with a region that holds the whole part, as the demo's does."""
    written = config_file(VIRTUAL, line="takt_ms = 2")
    written.write_text(written.read_text().replace("roi = [20, 30, 100, 80]", f"roi = {ROI}"))
    return written


def names_beside(file):
    return sorted(one.name for one in file.parent.iterdir())


def judged(file, picture):
    gate = QualityGate(load_config(file).recipes["part"].quality)
    frame = Frame(picture, PixelFormat.MONO8, sequence=0, epoch=1, exposed_ns=0, exposed_utc_ns=0)
    unfit = gate.check(frame, 0)
    return None if unfit is None else unfit.reason.value


def test_what_the_camera_shows_becomes_limits_that_keep_the_bad_out_and_let_the_good_pass(camera, file):
    before = file.read_text()
    code, out, err = camera("learn", "--config", file, "--pictures", "40", "--write")
    assert code == 0, err
    assert "40 pictures of 480x300 Mono8, measured in [78, 25, 325, 250]" in out
    assert "0 of 40 would have been rejected" in out
    assert "at most 7.2% of good pictures" in out  # Clopper-Pearson: 1 - 0.05^(1/40)
    assert "[recipes.part.quality]" in out
    assert "… 40 pictures" in err
    assert file.with_name("appliance.toml.bak").read_text() == before
    scene = Scene(11, (300, 480))
    goods = [scene.part(index, "good")[0] for index in range(100, 160)]
    assert sum(judged(file, good) is not None for good in goods) <= 2
    assert judged(file, np.full_like(goods[0], 255)) == "FRAME_TOO_BRIGHT"
    assert judged(file, cv2.GaussianBlur(goods[0], (0, 0), 2)) == "FRAME_BLURRED"
    assert judged(file, goods[0][:200]) == "FRAME_UNFIT"


def test_without_write_the_file_stays_as_it_was(camera, file):
    before = file.read_text()
    code, out, err = camera("learn", "--config", file, "--pictures", "20")
    assert code == 0
    assert "min_sharpness" in out
    assert "--write puts this into" in err
    assert file.read_text() == before


def test_a_camera_that_triggers_itself_is_waited_for(camera, config_file):
    free = VIRTUAL + '\ntrigger = "timed"\ntakt_s = 0.005'
    code, out, err = camera("learn", "--config", config_file(free, line='trigger = "camera"'), "--pictures", "20")
    assert code == 0, err
    assert "20 pictures of 480x300" in out


def test_several_regions_are_measured_in_what_holds_them_all(camera, file):
    regions = "regions = { left = [80, 100, 100, 90], right = [300, 120, 60, 100] }"
    file.write_text(file.read_text().replace(f"roi = {ROI}", regions))
    code, out, err = camera("learn", "--config", file, "--pictures", "20")
    assert code == 0, err
    assert "measured in [80, 100, 280, 120]" in out


def test_pictures_of_a_folder_teach_as_well_and_one_unlike_the_others_is_named(camera, file, good_folder):
    def one_is_blurred(index, picture):
        return cv2.GaussianBlur(picture, (0, 0), 2) if index == 7 else picture

    folder = good_folder(30, one_is_blurred)
    (folder / "broken.png").write_bytes(b"no picture")
    code, out, err = camera("learn", "--config", file, "--folder", folder)
    assert code == 0, err
    assert "30 pictures of 480x300" in out
    assert "! part007.png is unlike the others" in out
    assert "left out: broken.png: corrupt" in err
    assert "pixel_format" not in out.partition("[recipes.part.quality]")[2]  # a file's, not the camera's


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--pictures", "12"), "12 pictures are too few to see how good ones differ: at least 20"),
        (("--recipe", "other"), "There is no recipe 'other'; there are part."),
        (("--camera", "side"), "has no camera 'side'"),
        (("--folder", "/none/such"), "there is no folder /none/such"),
    ],
)
def test_what_cannot_be_is_one_sentence(camera, file, arguments, says):
    code, _, err = camera("learn", "--config", file, *arguments)
    assert code == 1
    assert says in err


def test_a_folder_with_few_pictures_or_the_same_one_again_and_again_teaches_nothing(camera, file, good_folder, scene):
    code, _, err = camera("learn", "--config", file, "--folder", good_folder(9))
    assert (code, "9 pictures are too few" in err) == (1, True)
    same = good_folder(25, lambda _index, _picture: scene.part(0, "good")[0])
    code, _, err = camera("learn", "--config", file, "--folder", same)
    assert (code, "Of 25 pictures only 1 differ" in err, "is the camera frozen" in err) == (1, True, True)
    mixed = good_folder(25, lambda index, picture: picture[: 300 - index // 20])
    code, _, err = camera("learn", "--config", file, "--folder", mixed)
    assert (code, "part020.png is 480x299 Mono8" in err) == (1, True)


def test_good_pictures_that_are_blown_out_or_vary_too_much_are_told(camera, file, good_folder):
    glaring = good_folder(25, lambda _index, picture: cv2.convertScaleAbs(picture, alpha=2.5))
    _, out, _ = camera("learn", "--config", file, "--folder", glaring)
    assert "blown out already in half of the pictures" in out
    restless = good_folder(25, lambda index, picture: cv2.convertScaleAbs(picture, alpha=0.3 + index / 20))
    _, out, _ = camera("learn", "--config", file, "--folder", restless)
    assert "The pictures vary too much in brightness" in out


def test_one_odd_picture_among_many_is_found(scene):
    measurer = Measurer(grid=(6, 10))
    goods = [measurer.measure(scene.part(index, "good")[0], PixelFormat.MONO8) for index in range(60)]
    blurred = measurer.measure(cv2.GaussianBlur(scene.part(3, "good")[0], (0, 0), 0.8), PixelFormat.MONO8)
    alone, together = learn(goods), learn([*goods, blurred])
    assert 60 in together.rejected
    assert len(alone.rejected) <= 2
    assert blurred.sharpness < alone.values["min_sharpness"]


# The operator's file ------------------------------------------------------------------------------------------------


def test_comments_order_and_everything_else_stay(file):
    written = file.read_text().replace("[models.surface]", "\n# The models,\n# all of them.\n[models.surface]")
    file.write_text(written)
    file.chmod(0o640)
    config_edit.write(file, QUALITY, {"min_contrast": 12.5, "max_age_ms": 80.0})
    section = "[recipes.part.quality]\nmin_contrast = 12.5\nmax_age_ms = 80.0\n"
    assert file.read_text() == written.replace("\n# The models,", f"\n{section}\n# The models,")
    assert file.stat().st_mode & 0o777 == 0o640
    assert names_beside(file) == ["appliance.toml", "appliance.toml.bak"]
    config_edit.write(file, QUALITY, {"min_contrast": 9.0, "max_age_ms": None})
    quality = load_config(file).recipes["part"].quality
    assert (quality.min_contrast, quality.max_age_ms) == (9.0, None)


@pytest.mark.parametrize(
    "recipe",
    [
        "quality = { min_contrast = 3 } # mine",
        "quality.min_contrast = 3",
        "[recipes.part.quality] # mine\nmin_contrast = 3",
    ],
)
def test_however_the_section_is_written_it_is_changed_where_it_stands(file, recipe):
    file.write_text(file.read_text().replace("[recipes.part.input]\nroi = [78, 25, 325, 250]", recipe))
    config_edit.write(file, QUALITY, {"min_contrast": 4.5, "cells_low": None})
    assert load_config(file).recipes["part"].quality.min_contrast == 4.5
    assert ("# mine" in file.read_text()) == ("# mine" in recipe)


@pytest.mark.parametrize(
    ("section", "values", "says"),
    [
        (QUALITY, {"min_brightness": 9.0, "max_brightness": 3.0}, "no picture could pass"),
        (QUALITY, {"min_sharpnes": 9.0}, "min_sharpness"),
        (("recipes", "none", "quality"), {"min_contrast": 1.0}, r"no \[recipes.none\]"),
    ],
)
def test_values_that_cannot_be_used_change_nothing(file, section, values, says):
    before = file.read_text()
    with pytest.raises(ConfigError, match=says) as caught:
        config_edit.write(file, section, values)
    assert ".new" not in str(caught.value)
    assert file.read_text() == before
    assert names_beside(file) == ["appliance.toml"]


def test_a_link_to_the_file_stays_a_link(file, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    file.rename(real / "box.toml")
    file.symlink_to(real / "box.toml")
    config_edit.write(file, QUALITY, {"min_contrast": 2.0})
    assert file.is_symlink()
    assert load_config(real / "box.toml").recipes["part"].quality.min_contrast == 2.0
