"""`appliance lint`: each mistake has its finding, and each finding its remedy."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from running import DEMO_MODEL

from appliance.publishing.checkpoint import variables
from appliance.publishing.errors import PublishError
from appliance.publishing.lint import lint


def codes(folder: Path, severity: str = "error") -> set[str]:
    return {finding.code for finding in lint(folder) if finding.severity == severity}


def change(folder: Path, **changes: object) -> None:
    file = folder / "assets.extra/inspection.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in {**said, **changes}.items() if value is not None}))


def change_input(folder: Path, **changes: object) -> None:
    said = json.loads((folder / "assets.extra/inspection.json").read_text())["input"]
    change(folder, input={key: value for key, value in {**said, **changes}.items() if value is not None})


def change_sample(folder: Path, **changes: object) -> None:
    file = folder / "assets.extra/golden/samples.json"
    said = json.loads(file.read_text())
    said["samples"][0].update(changes)
    file.write_text(json.dumps(said))


def test_the_model_that_is_shipped_has_no_errors(appliance):
    said = appliance("lint", DEMO_MODEL / "1")
    assert said.code == 0
    assert "no errors" in said.out


def test_weights_that_are_stored_twice_are_found_with_their_bytes(desk, made_package):
    (found,) = (one for one in lint(desk / "twice") if one.code == "weights_twice")
    assert found.severity == "warning"
    assert found.where == "variables/variables.data-00000-of-00001"
    assert "549 kB of 1.1 MB are a second copy" in found.what
    assert ".keras file, which stores them once" in found.remedy
    assert "weights_twice" not in codes(made_package, "warning")


def test_variables_that_no_session_finds_and_ops_that_boxes_refuse(desk):
    (lost,) = (one for one in lint(desk / "lost") if one.code == "lost_variable")
    assert "batch_normalization" in lost.what or "dense" in lost.what
    (forbidden,) = (one for one in lint(desk / "reads") if one.code == "forbidden_op")
    assert "ReadFile" in forbidden.what
    assert "Boxes refuse it" in forbidden.remedy


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda f: (f / "assets.extra/inspection.json").unlink(), "no_inspection"),
        (lambda f: change(f, labels=None), "labels"),
        (lambda f: change(f, labels=["good", "good"]), "labels"),
        (lambda f: change(f, labels=["good", "scratch", "dent", "missing_hole"]), "label_count"),
        (lambda f: change(f, input=None), "input"),
        (lambda f: change_input(f, resize=None), "input"),
        (lambda f: change_input(f, dtype="float32"), "input_dtype"),
        (lambda f: change_input(f, width=640), "input_shape"),
        (lambda f: change_input(f, color="RGB8"), "input_shape"),
        (lambda f: change(f, output="logits"), "output"),
        (lambda f: change(f, limits={"good_min": 0.5, "per_class": {"scratch": 0.5}}), "limits"),
        (lambda f: change(f, limits={"per_class": 3}), "limits"),
        (lambda f: change(f, good_label="fine"), "limits"),
        (lambda f: shutil.rmtree(f / "assets.extra/golden"), "no_golden"),
        (lambda f: (f / "assets.extra/golden/samples.json").write_text("{"), "golden"),
        (lambda f: (f / "assets.extra/golden/good.jpg").unlink(), "golden_picture"),
        (lambda f: (f / "assets.extra/golden/good.jpg").write_bytes(b"x"), "golden_picture"),
        (lambda f: cv2.imwrite(str(f / "assets.extra/golden/good.jpg"), np.zeros((9, 9), np.uint8)), "golden_picture"),
        (lambda f: change_sample(f, crop=True, file="crop-missing_hole.jpg"), "golden_picture"),
        (lambda f: change_sample(f, frame=True), "golden_picture"),
        (lambda f: change_sample(f, scores=[[1.0, 0, 0, 0, 0]] * 2), "golden"),
        (lambda f: change_sample(f, scores="high"), "golden"),
        (lambda f: change_input(f, perspective={"corners": [[0, 0]] * 4}), "input"),
        (lambda f: change_input(f, tiles={"width": 2000, "height": 100}), "input"),
        (lambda f: change(f, limits={"good_min": 0.5, "regions": {"left": {"good_min": 0.5}}}), "limits"),
        (lambda f: change_sample(f, scores=[1.0]), "golden"),
        (lambda f: change_sample(f, scores=[7.0, 0, 0, 0, 0]), "golden_scores"),
        (lambda f: change_sample(f, scores=[0.0, 0.9, 0, 0, 0]), "golden_scores"),
        (lambda f: change_sample(f, label="dent"), "golden_scores"),
        (lambda f: change_sample(f, label="rust"), "golden"),
        (lambda f: change_sample(f, tolerance=5), "golden"),
        (lambda f: (f / ".git").mkdir() or (f / ".git/HEAD").write_text("x"), "odd_file"),
        (lambda f: (f / "__pycache__").mkdir(), "odd_file"),
        (lambda f: (f / "assets.extra/inspection.json~").write_text("{}"), "odd_file"),
        (lambda f: (f / "variables/variables.data-00000-of-00001").write_bytes(b""), "empty_file"),
        (lambda f: (f / "variables/variables.index").write_bytes(b"x" * 99), "damaged"),
        (lambda f: (f / "saved_model.pb").write_bytes(b"x" * 99), "no_model"),
        (lambda f: (f / "saved_model.pb").unlink(), "no_model"),
        (lambda f: (f / "link").symlink_to("/etc/hostname"), "link"),
    ],
)
def test_each_mistake_is_found_where_it_is(demo, spoil, code):
    assert codes(demo) == set()
    spoil(demo)
    found = [one for one in lint(demo) if one.severity == "error"]
    assert code in {one.code for one in found}
    assert all(one.what and one.remedy and not one.what.endswith(".") for one in found)


def test_what_works_and_costs_something_is_a_warning(demo):
    assert codes(demo, "warning") == {"no_card"}
    (demo / "assets.extra/README.md").write_text("# Card")
    change(demo, limits=None)
    assert codes(demo, "warning") == {"no_limits"}
    (demo / "assets").mkdir()
    with (demo / "assets/training.tfrecord").open("wb") as file:
        file.truncate(30_000_000)
    said = json.loads((demo / "assets.extra/golden/samples.json").read_text())
    said["samples"] = [sample for sample in said["samples"] if sample["label"] != "stain"]
    (demo / "assets.extra/golden/samples.json").write_text(json.dumps(said))
    assert codes(demo, "warning") == {"no_limits", "huge_file", "golden_labels"}
    assert codes(demo) == set()


def test_findings_are_json_for_programs_and_decide_the_exit_code(demo, appliance, tmp_path):
    (demo / "assets.extra/inspection.json").unlink()
    said = appliance("lint", demo, "--json")
    assert said.code == 1
    told = json.loads(said.out)
    assert told["errors"] >= 1
    assert {"severity", "code", "where", "what", "remedy"} == set(told["findings"][0])
    assert told["findings"][0]["severity"] == "error", "errors come first"
    said = appliance("lint", tmp_path / "nothing")
    assert (said.code, said.sentence.endswith("`appliance package` makes one that can be looked at.")) == (1, True)
    shutil.copytree(demo, tmp_path / "base/7")
    assert codes(tmp_path / "base") == {"not_a_version"}


def test_the_index_of_variables_is_read_whole_or_refused(demo):
    names = [one.name for one in variables(demo)]
    assert "weights/0/.ATTRIBUTES/VARIABLE_VALUE" in names
    file = demo / "variables/variables.index"
    whole = file.read_bytes()
    for size in (0, 7, 47, 48, 500, len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(PublishError, match="damaged"):
            variables(demo)
