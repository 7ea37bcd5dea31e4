"""The scripts that make and measure the demo's model do what they say, in small."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "deploy" / "demo_model"


def run(script, *arguments):
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, check=False, env=quiet, text=True, timeout=110)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def barely_trained(tmp_path_factory):
    version = tmp_path_factory.mktemp("trained") / "1"
    run("train.py", "--out", version, "--scenes", 1, "--parts", 3, "--steps", 20, "--no-golden")
    return version


@pytest.mark.slow
def test_training_writes_a_version_with_its_metadata(barely_trained):
    said = json.loads((barely_trained / "assets.extra" / "inspection.json").read_text())
    assert said["labels"] == ["good", "scratch", "dent", "missing_hole", "stain"]
    assert set(said["limits"]["per_class"]) == set(said["labels"]) - {said["good_label"]}
    assert "scenes 1000 to 1000" in said["card"]["trained_on"]
    assert (barely_trained / "saved_model.pb").is_file()


@pytest.mark.slow
def test_measuring_counts_every_part_and_gives_bounds(barely_trained):
    page = run("evaluate.py", "--model", barely_trained, "--scenes", 1, "--parts", 12)
    rows = [line.split("|") for line in page.splitlines() if line.startswith(("| good ", "| scratch ", "| dent "))]
    rows += [line.split("|") for line in page.splitlines() if line.startswith(("| missing_hole ", "| stain "))]
    assert sum(int(row[2]) for row in rows) == 12
    assert all(int(row[2]) == sum(int(count) for count in row[3:6]) for row in rows)
    assert "Escapes: " in page


@pytest.mark.slow
@pytest.mark.parametrize("script", ["train.py", "evaluate.py", "golden.py"])
def test_each_script_explains_itself(script):
    assert "usage:" in run(script, "--help")
