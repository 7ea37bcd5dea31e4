"""`appliance recipe calibrate` on the shipped model and pictures of the virtual line."""

import argparse
import csv
import json
import re
import shutil

import cv2
import pytest
import tomllib
from running import DEMO_MODEL

from appliance.cli import main
from appliance.commissioning.calibrate import add_calibrate
from appliance.config import load_config
from appliance.errors import ApplianceError
from appliance.inspection.plan import Plan
from appliance.models import newest_loader
from appliance.serving import ServableId
from camera.conveyor import Scene
from camera.frame import Frame, PixelFormat

CONFIG = """
[station]
name = "box"
state_folder = "state"

[cameras.top]
recipe = "part"
takt_ms = 100
camera = { driver = "virtual" }

[recipes.part]  # what passes on Mondays
model = "surface"
deadline_ms = 100

[models.surface]
base_path = "%s"

[mqtt]
host = "127.0.0.1"
base_topic = "a/b/c/d/e"
"""
GOOD, BAD = 24, 9


@pytest.fixture(scope="module")
def station(tmp_path_factory, prepared):
    """A folder with a configuration, labelled pictures, and the results the box gives for them."""
    folder = tmp_path_factory.mktemp("station")
    (folder / "appliance.toml").write_text(CONFIG % DEMO_MODEL)
    shutil.copytree(prepared, folder / "state" / "prepared")
    config = load_config(folder / "appliance.toml")
    _, _, loader = newest_loader(config, "surface", folder / "state" / "prepared")
    model = loader.load(ServableId("surface", 1))
    plan = Plan(config.recipes["part"], model)
    results = []
    scene = Scene(seed=7700)
    for number in range(GOOD + BAD):
        label = "good" if number < GOOD else ("scratch", "missing_hole", "stain")[number % 3]
        pixels, _ = scene.part(number, label, 0.9)
        (folder / "pictures" / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / "pictures" / label / f"{number:02d}.bmp"), pixels)
        shown = plan.preprocessor.apply(Frame(pixels, PixelFormat.MONO8, 0, 1, 0, 0))
        decision = plan.judge(plan.infer(model, shown))
        results.append(
            {
                "result_id": f"0193-{number}",
                "recipe_id": "part",
                "part_id": None,
                "evaluation": decision.evaluation.value,
                "classes": [one.as_json() for one in decision.classes],
                "regions": None,
                "model": {"name": "surface", "version": 1, "digest": model.digest},
                "recheck": "good" if label == "good" else "bad",
            }
        )
    loader.unload()
    (folder / "results.json").write_text(json.dumps(results))
    return folder


@pytest.fixture
def box(station, tmp_path):
    """The same, for a test to change; the pictures stay where they are."""
    (tmp_path / "appliance.toml").write_text((station / "appliance.toml").read_text())
    (tmp_path / "state").symlink_to(station / "state")
    return tmp_path


def run(box, *arguments):
    """The command as a person types it. Returns the exit code."""
    parser = argparse.ArgumentParser()
    add_calibrate(parser.add_subparsers())
    options = parser.parse_args(
        ["calibrate", "--config", str(box / "appliance.toml"), "--recipe", "part", *map(str, arguments)]
    )
    return options.command(options)


def rechecks(station, box, **changes):
    """The file of rechecks, with changes to each."""
    file = box / "rechecks.jsonl"
    results = json.loads((station / "results.json").read_text())
    file.write_text("\n".join(json.dumps(one | changes) for one in results) + "\n")
    return file


def test_limits_from_pictures_go_into_the_file_and_nothing_else_changes(station, box, capsys):
    arguments = ("--pictures", station / "pictures", "--max-false-reject", "13%", "--max-escape", "30%")
    before = (box / "appliance.toml").read_text()
    assert run(box, *arguments) == 0
    told = capsys.readouterr().out
    assert (box / "appliance.toml").read_text() == before
    assert run(box, *arguments, "--write") == 0
    changed = (box / "appliance.toml").read_text()
    assert (box / "appliance.toml.bak").read_text() == before
    section = changed[changed.index("[recipes.part.limits]") : changed.index("[models.surface]")]
    assert changed.replace(section, "").split() == before.split()
    assert "# what passes on Mondays" in changed
    assert section.strip() in told, "without --write it says what it would write"
    limits = load_config(box / "appliance.toml").recipes["part"].limits
    assert limits.per_class.keys() == limits.review.keys() == {"scratch", "dent", "missing_hole", "stain"}


def test_what_is_promised_is_what_the_box_then_does(station, box, capsys):
    arguments = ("--pictures", station / "pictures", "--max-false-reject", "13%", "--max-escape", "30%", "--json")
    assert run(box, *arguments, "--write") == 0
    first = json.loads(capsys.readouterr().out)
    assert run(box, *arguments) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["before"] == second["after"] == first["after"]
    assert first["after"]["false_rejects"] == {"hits": 0, "of": GOOD, "bound_95": pytest.approx(0.117, abs=1e-3)}
    assert first["after"]["escapes"] == {"hits": 0, "of": BAD, "bound_95": pytest.approx(0.283, abs=1e-3)}
    assert first["cross_check"]["times"] == GOOD + BAD
    assert second["limits"] == tomllib.loads((box / "appliance.toml").read_text())["recipes"]["part"]["limits"]


def test_what_the_pictures_cannot_show_is_refused_and_nothing_is_written(station, box, capsys):
    before = (box / "appliance.toml").read_text()
    with pytest.raises(ApplianceError, match="0 of 24 good parts shows at most 11.7 %; for 1 % .* 299"):  # noqa: RUF043
        run(box, "--pictures", station / "pictures", "--max-false-reject", "1%", "--write")
    assert (box / "appliance.toml").read_text() == before
    told = capsys.readouterr().out
    assert re.search(r"false rejects: good parts NotOK +\d of 24, at most", told), "what holds now is told all the same"


def test_a_refusal_is_a_sentence_and_an_exit_code(station, box, capsys):
    options = ["--config", box / "appliance.toml", "--recipe", "part", "--pictures", station / "pictures"]
    assert main(["recipe", "calibrate", *map(str, options), "--max-escape", "0.1%", "--json"]) == 1
    told = capsys.readouterr()
    assert "0 of 9 bad parts shows at most 28.3 %; for 0.1 % with 95 % confidence 2995 of them" in told.err
    assert json.loads(told.out)["limits"] is None
    assert json.loads(told.out)["refused"] in told.err


def test_pictures_that_the_line_would_not_judge_are_left_out_and_said_so(station, box, capsys):
    with (box / "appliance.toml").open("a") as file:
        file.write("[recipes.part.quality]\nmin_brightness = 250\n")
    with pytest.raises(ApplianceError, match="no good part in the sample"):
        run(box, "--pictures", station / "pictures", "--max-false-reject", "13%")
    assert "33 picture(s) left out, the line would not judge them: FRAME_TOO_DARK" in capsys.readouterr().out


def test_pictures_in_a_folder_of_their_own_count_as_one_part(station, box, capsys):
    shutil.copytree(station / "pictures", box / "pictures")
    for number, file in enumerate(sorted((box / "pictures" / "good").iterdir())):
        plate = box / "pictures" / "good" / f"plate-{number // 6}"
        plate.mkdir(exist_ok=True)
        file.rename(plate / file.name)
    with pytest.raises(ApplianceError, match="0 of 4 good parts"):
        run(box, "--pictures", box / "pictures", "--max-false-reject", "13%")
    assert "4 good and 9 bad parts in 33 picture(s)" in capsys.readouterr().out


def test_a_folder_that_is_no_label_is_refused_with_the_labels(station, box):
    (box / "pictures" / "sratch").mkdir(parents=True)
    with pytest.raises(ApplianceError, match="sratch is no label's folder; the labels are good, scratch, dent"):
        run(box, "--pictures", box / "pictures", "--max-false-reject", "13%")


def test_rechecked_results_give_the_limits_that_their_pictures_give(station, box, capsys):
    wanted = ("--max-false-reject", "13%", "--json")
    assert run(box, "--pictures", station / "pictures", *wanted) == 0
    by_pictures = json.loads(capsys.readouterr().out)
    file = rechecks(station, box)
    assert run(box, "--rechecks", file, *wanted) == 0
    by_rechecks = json.loads(capsys.readouterr().out)
    table = box / "rechecks.csv"
    with table.open("w", newline="") as opened:
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        writer = csv.DictWriter(opened, rows[0])
        writer.writeheader()
        for row in rows:
            writer.writerow({key: json.dumps(one) if isinstance(one, list | dict) else one for key, one in row.items()})
    assert run(box, "--rechecks", table, *wanted) == 0
    by_table = json.loads(capsys.readouterr().out)
    assert by_table["limits"] == by_rechecks["limits"]
    assert by_rechecks["limits"]["good_min"] == pytest.approx(by_pictures["limits"]["good_min"], abs=1e-4)
    assert by_rechecks["after"] == by_pictures["after"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": {"digest": "sha256:other"}}, "33 are by another version of the model"),
        ({"recipe_id": "lid"}, "33 are of another recipe"),
        ({"recheck": None}, "33 are without a recheck good or bad"),
        ({"evaluation": "Undefined", "classes": []}, "33 are without scores"),
    ],
)
def test_rechecks_of_something_else_are_not_counted(station, box, changes, sentence):
    with pytest.raises(ApplianceError, match=sentence):
        run(box, "--rechecks", rechecks(station, box, **changes), "--max-false-reject", "13%")


def test_a_table_whose_scores_are_no_json_is_one_sentence(station, box):
    file = box / "rechecks.csv"
    file.write_text("result_id,recheck,recipe_id,evaluation,classes\nr-1,good,part,OK,0.9\nr-2,good,part,OK,[0.9\n")
    with pytest.raises(ApplianceError, match=r"rechecks.csv, line 3: no result as the box gives it"):
        run(box, "--rechecks", file, "--max-false-reject", "13%")


def test_rechecks_of_failed_parts_alone_show_no_escape_rate(station, box):
    file = rechecks(station, box, evaluation="NotDecidable")
    with pytest.raises(ApplianceError, match="No part that had passed was rechecked"):
        run(box, "--rechecks", file, "--max-escape", "30%")


def test_rechecks_of_one_part_id_are_one_part(station, box, capsys):
    with pytest.raises(ApplianceError, match="0 of 1 good parts"):
        run(box, "--rechecks", rechecks(station, box, part_id="A-17"), "--max-false-reject", "13%")


@pytest.mark.parametrize("rate", ["1", "0.01", "0%", "100%", "some%"])
def test_a_rate_is_written_with_its_unit(box, capsys, rate):
    with pytest.raises(SystemExit):
        run(box, "--pictures", box, "--max-false-reject", rate)
    assert "write it like 0.5%" in capsys.readouterr().err
