"""The command line, as a person meets it."""

import os
import re
import signal
import subprocess
import sys

import pytest
from running import BASE, DEMO_MODEL, until

COMMAND = [sys.executable, "-m", "appliance.cli"]


def run(*arguments, timeout_s=180):
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)


@pytest.mark.parametrize("command", ["run", "check", "demo"])
def test_each_command_explains_itself_with_examples(command):
    said = run(command, "--help")
    assert said.returncode == 0
    assert "examples:" in said.stdout
    assert f"appliance {command}" in said.stdout


def test_help_starts_no_heavy_library():
    """`appliance --help` answers at once: neither TensorFlow nor OpenCV is imported for it."""
    code = "import sys, appliance.cli\ntry: appliance.cli.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'cv2', 'numpy', 'tensorflow', 'paho', 'flask'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.endswith("[]\n")


def test_check_finds_everything_well(appliance, broker):
    line = appliance()
    said = run("check", "--config", line.config_file)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count("✓") == 4
    assert "1920x1200" in said.stdout
    assert BASE in said.stdout
    assert said.stdout.endswith("Everything is well.\n")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"broker_port": 1}, ["✗ broker", "127.0.0.1:1"]),
        ({"camera": 'driver = "folder"\nfolder = "/none/such"'}, ["✗ camera top", "/none/such"]),
        ({"base_path": "/none/models"}, ["✗ model surface", "/none/models"]),
        ({"recipe": 'deadline_ms = 100\nlabels = ["a", "b"]'}, ["✗ model surface", "labels"]),
    ],
)
def test_check_says_what_is_wrong_and_looks_at_the_rest_all_the_same(appliance, changes, says):
    line = appliance(**changes)
    said = run("check", "--config", line.config_file)
    assert said.returncode == 1
    for part in says:
        assert part in said.stdout
    assert said.stdout.count("✗") == 1 + said.stdout.count("marked with ✗")
    assert "Traceback" not in said.stderr


def test_run_without_a_configuration_says_which_file_is_missing(tmp_path):
    said = run("run", "--config", tmp_path / "none.toml")
    assert said.returncode == 1
    assert str(tmp_path / "none.toml") in said.stderr
    assert "Traceback" not in said.stderr


def test_the_demo_shows_each_part_and_ends_with_a_summary(tmp_path, prepared):
    said = run("demo", "--parts", 25, "--takt-ms", 100, "--state", tmp_path / "demo")
    assert said.returncode == 0, said.stdout + said.stderr
    lines = re.findall(r"^ +\d+ +(?:pass|fail) +\S+ +\S+ +\S+ +[\d.]+ ms +(?:met|MISSED)$", said.stdout, re.MULTILINE)
    assert len(lines) == 25, said.stdout
    assert "25 parts: " in said.stdout
    for where in ("/healthz", f"{tmp_path}/demo", "mosquitto_sub", "top/result", "trigger to verdict: median"):
        assert where in said.stdout


@pytest.mark.slow
def test_ctrl_c_ends_the_demo_cleanly_with_its_summary(tmp_path):
    command = [*COMMAND, "demo", "--takt-ms", "100", "--state", str(tmp_path / "demo")]
    output = tmp_path / "output"
    with output.open("wb") as file:
        demo = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    try:
        until(lambda: output.read_text().count(" ms  met") > 3, "parts on the terminal", 180)
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(60) == 0, output.read_text()
    finally:
        if demo.poll() is None:
            demo.kill()
    said = output.read_text()
    assert " passed, " in said
    assert "Traceback" not in said
    assert "did not arrive" not in said


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP], ids=["kill -9", "terminal closed"])
def test_nothing_outlives_the_demo(tmp_path, how):
    state = tmp_path / "demo"
    command = [*COMMAND, "demo", "--takt-ms", "100", "--state", str(state)]
    output = tmp_path / "output"
    with output.open("wb") as file:
        demo = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    try:
        until(lambda: output.read_text().count(" ms  met") > 3, "parts on the terminal", 180)
        demo.send_signal(how)
        demo.wait(60)
        until(lambda: not running_in(state), "all that it started to end", 40)
    finally:
        demo.kill()


def running_in(folder):
    """The programs that have this folder in their command line."""
    found = subprocess.run(["ps", "-ww", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    return [row for row in found.splitlines() if str(folder) in row]


@pytest.mark.slow
def test_the_demo_runs_over_a_folder_of_pictures_with_a_model_of_ones_own(tmp_path, pictures_of_parts):
    said = run(
        "demo",
        "--folder",
        pictures_of_parts,
        "--model",
        DEMO_MODEL / "1",
        "--takt-ms",
        200,
        "--state",
        tmp_path / "demo",
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "6 parts: " in said.stdout


def test_the_demo_asks_for_a_model_where_only_pictures_are_given(tmp_path):
    said = run("demo", "--folder", tmp_path, "--state", tmp_path / "demo")
    assert said.returncode == 1
    assert "--model" in said.stderr


@pytest.fixture
def pictures_of_parts(tmp_path):
    """Six virtual parts, stored as PNG."""
    import cv2

    from camera.conveyor import Scene

    folder = tmp_path / "pictures"
    folder.mkdir()
    scene = Scene(seed=11)
    for number in range(6):
        pixels, _ = scene.part(number)
        assert cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder
