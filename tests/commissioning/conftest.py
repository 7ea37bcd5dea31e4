"""What the tests of `appliance camera` stand on."""

import pytest
from gige_simulator import gige_camera  # noqa: F401 - a fixture

from appliance import cli


@pytest.fixture
def camera(capsys):
    """`appliance camera ...`, as at a terminal: (exit code, stdout, stderr)."""

    def run(*arguments):
        try:
            code = cli.main(["camera", *map(str, arguments)])
        except SystemExit as left:
            code = left.code
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return run


@pytest.fixture
def config_file(tmp_path):
    """An operator's file with the camera's section as given; a second camera where wanted."""

    def write(section='driver = "virtual"\nwidth_px = 320\nheight_px = 200', *, line="takt_ms = 50", more=""):
        file = tmp_path / "appliance.toml"
        file.write_text(
            f"""
[station]
name = "box"
state_folder = "{tmp_path / "state"}"
[cameras.top]
recipe = "part"
{line}
[cameras.top.camera]
{section}
{more}
[recipes.part]
model = "surface"
deadline_ms = 100
[recipes.part.input]
roi = [20, 30, 100, 80]
[models.surface]
base_path = "{tmp_path / "models"}"
[mqtt]
host = "127.0.0.1"
base_topic = "a/b/c/d/e"
"""
        )
        return file

    return write
