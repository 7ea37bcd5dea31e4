"""`appliance camera discover`: what is there, and the section to paste."""

import json
import textwrap

import pytest
import tomllib

from camera.config import CONFIGS
from camera.discovery import LOOKING
from camera.opening import check_config

TWO = """
from camera.discovery import Found, Looked
def discover(timeout_s):
    return Looked("aravis", (
        Found("aravis", "Maker-40012345", "Maker M5", "40012345", "192.0.2.7",
              {"driver": "aravis", "device": "Maker-40012345", "settings": [["PixelFormat", "Mono8"]]}),
        Found("aravis", "Maker-2", "Maker M6", "2", "192.0.2.8", None, "another program has it"),
    ))
"""
NONE = """
from camera.discovery import Looked
def discover(timeout_s):
    return Looked("pylon", problem="Basler's library is missing: pip install 'inspection-appliance[pylon]'")
"""


@pytest.fixture
def drivers(tmp_path, monkeypatch):
    """Two drivers that look: one finds two cameras, the other is not installed."""
    for name, text in (("two", TWO), ("none", NONE)):
        (tmp_path / f"looks_for_{name}.py").write_text(textwrap.dedent(text))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    for name in list(LOOKING):
        monkeypatch.delitem(LOOKING, name)
    monkeypatch.setitem(LOOKING, "aravis", "looks_for_two")
    monkeypatch.setitem(LOOKING, "pylon", "looks_for_none")


def test_the_table_has_every_camera_and_who_could_not_look(camera, drivers):
    code, out, _ = camera("discover", "--timeout", "0.5")
    assert code == 0
    for part in ("Maker-40012345", "192.0.2.7", "! another program has it", "! pylon: Basler's library is missing"):
        assert part in out


def test_the_section_to_paste_is_one_that_the_appliance_takes(camera, drivers):
    code, out, _ = camera("discover", "--timeout", "0.5", "--config-for", "40012345", "--name", "side")
    assert code == 0
    section = tomllib.loads(out)["cameras"]["side"]["camera"]
    assert isinstance(check_config(section), CONFIGS["aravis"])


@pytest.mark.parametrize(("wanted", "says"), [("Maker-2", "another program has it"), ("Makr", "Maker-40012345")])
def test_a_camera_that_cannot_be_used_or_is_not_there_is_a_sentence(camera, drivers, wanted, says):
    code, out, err = camera("discover", "--timeout", "0.5", "--config-for", wanted)
    assert (code, out) == (1, "")
    assert says in err


def test_json_has_all_of_it(camera, drivers):
    code, out, _ = camera("discover", "--timeout", "0.5", "--json")
    said = json.loads(out)
    assert code == 0
    assert [one["serial"] for one in said["cameras"]] == ["40012345", "2"]
    assert "pip install" in said["problems"]["pylon"]


def test_a_gige_camera_is_found_and_its_section_opens_it(camera, gige_camera):
    code, out, _ = camera("discover", "--config-for", gige_camera.serial)
    assert code == 0
    section = tomllib.loads(out)["cameras"]["top"]["camera"]
    assert section["driver"] == "aravis"
    pairs = [f"--set={key}={json.dumps(value)}" for key, value in section.items()]
    small = '--set=settings=[["Width", 256], ["Height", 128]]'
    code, out, _ = camera("check", *pairs, small, "--seconds", "1", "--rate", "10")
    assert code == 0, out
    assert "256x128" in out
