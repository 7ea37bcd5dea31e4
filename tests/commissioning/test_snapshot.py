"""`appliance camera snapshot`: the line's own picture, to the last bit."""

import json

import cv2
import numpy as np
import pytest
from commissioning_camera import SMALL


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_a_picture_is_kept_to_the_last_bit_with_what_is_known_of_it(camera, tmp_path, shape):
    shown = np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)
    (tmp_path / "shown").mkdir()
    cv2.imwrite(str(tmp_path / "shown" / "part.png"), shown)
    file = tmp_path / "kept.png"
    code, out, _ = camera("snapshot", "--set=driver=folder", f"--set=folder={tmp_path / 'shown'}", "-o", file)
    assert code == 0
    assert f"{file}: 60x40" in out
    assert np.array_equal(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), shown)
    known = json.loads(file.with_suffix(".json").read_text())
    assert (known["width"], known["height"], known["sequence"], known["status"]) == (60, 40, 0, "ok")
    assert known["exposure_time_utc"].endswith("Z")
    assert known["settings"]["driver"] == "folder"
    assert known["source"] == "part.png"


def test_several_go_into_a_folder_in_their_order(camera, tmp_path):
    code, _, _ = camera("snapshot", *SMALL, "--count", "3", "--folder", tmp_path / "good")
    assert code == 0
    sequences = [json.loads(file.read_text())["sequence"] for file in sorted((tmp_path / "good").glob("*.json"))]
    assert sequences == [0, 1, 2]
    assert len(list((tmp_path / "good").glob("camera-*.png"))) == 3


def test_a_damaged_picture_is_kept_and_told(camera, tmp_path):
    file = tmp_path / "part.png"
    code, _, err = camera("snapshot", *SMALL, "--set=misbehave.incomplete.rate=1.0", "-o", file)
    assert code == 1
    assert "incomplete" in err
    assert json.loads(file.with_suffix(".json").read_text())["status"] == "incomplete"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-o", "part.jpg"), "PNG is what keeps a picture as it is"),
        (("-o", "part.png", "--count", "2"), "-o is one picture's file"),
        (("-o", "/none/such/part.png"), "/none/such/part.png cannot be written"),
        (("-o", "x.png", "--set", "misbehave.lost.rate=1.0", "--timeout", "0.3"), "No picture came in 0.3 s"),
    ],
)
def test_what_cannot_be_is_one_sentence(camera, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, _, err = camera("snapshot", *SMALL, *arguments)
    assert code == 1
    assert says in err
