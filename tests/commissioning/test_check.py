"""`appliance camera check`: opens the camera as the line would, and says what is wrong."""

import json

import pytest
from commissioning_camera import SMALL

from camera import open_camera


def test_a_camera_that_is_well_passes_with_a_sentence_for_each_thing(camera, config_file):
    file = config_file(line="takt_ms = 100")
    code, out, _ = camera("check", "--config", file, "--camera", "top", "--seconds", "1")
    assert code == 0, out
    for part in ("✓ camera", "of 10.0 that are wanted", "✓ losses: none", "✓ frame age", "✓ trigger", "320x200"):
        assert part in out
    assert out.endswith("The camera is well.\n")


def test_json_says_the_same_to_programs(camera):
    code, out, _ = camera("check", *SMALL, "--seconds", "1", "--rate", "20", "--json")
    said = json.loads(out)
    assert code == 0, said
    assert (said["driver"], said["well"]) == ("virtual", True)
    assert {one["what"] for one in said["findings"]} >= {"camera", "frame rate", "losses", "frame age", "light"}
    assert said["pace"]["frames"] > 3
    assert 0 < said["picture"]["mean"] < 255


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            ["trigger=timed", "takt_s=0.05", "latency_s=0.001", "misbehave.lost.at_exposures=[3]"],
            "✗ losses: 1 exposures",
        ),
        (["trigger=timed", "takt_s=0.05", "latency_s=0.001", "misbehave.incomplete.at_exposures=[3]"], "rows arrived"),
        (["trigger=timed", "takt_s=0.2"], "✗ frame rate"),
        (["trigger=timed", "takt_s=0.05", "latency_s=0.001", "misbehave.gone.at_exposures=[5]"], "✗ pictures: after"),
    ],
)
def test_what_would_cost_parts_is_marked(camera, settings, says):
    pairs = [f"--set={one}" for one in settings]
    code, out, _ = camera("check", *SMALL, *pairs, "--seconds", "1", "--rate", "20")
    assert code == 1
    assert says in out
    assert "see the lines marked with ✗" in out


def test_an_exposure_is_held_against_the_belt_and_the_gate_of_the_file_tells_its_speed(camera, config_file):
    gate = "takt_ms = 100\ngate = { distance_mm = 400, speed_mm_s = 800 }"
    file = config_file('driver = "virtual"\nwidth_px = 320\nheight_px = 200\nexposure_s = 0.001', line=gate)
    code, out, _ = camera("check", "--config", file, "--seconds", "0.3", "--mm-per-px", "0.1")
    assert code == 1
    assert "moves 8 px" in out
    assert "expose 125 µs at most" in out
    code, out, err = camera("check", *SMALL, "--speed-mm-s", "100")
    assert (code, out) == (1, "")
    assert "--mm-per-px" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Which camera?"),
        (("--set", "driver=virtuel"), 'did you mean "virtual"?'),
        (("--set", "driver=virtual", "--set", "width_px=5"), "width_px (picture width in pixels)"),
        (("--set", "driver"), "is not KEY=VALUE"),
        (("--config", "/none/such.toml"), "/none/such.toml cannot be read"),
    ],
)
def test_a_wrong_request_is_one_sentence(camera, arguments, says):
    code, out, err = camera("check", *arguments)
    assert (code, out) == (1, "")
    assert says in err


def test_a_camera_that_the_file_does_not_have_is_told_with_those_it_has(camera, config_file):
    more = '[cameras.side]\nrecipe = "part"\ntakt_ms = 50\n[cameras.side.camera]\ndriver = "virtual"'
    file = config_file(more=more)
    code, _, err = camera("check", "--config", file, "--camera", "sid")
    assert (code, "it has top, side. Did you mean side?" in err) == (1, True), err
    code, _, err = camera("check", "--config", file)
    assert (code, "say which with --camera NAME" in err) == (1, True), err


def test_settings_on_the_command_line_go_over_those_of_the_file(camera, config_file):
    code, out, _ = camera("check", "--config", config_file(), "--set", "width_px=400", "--seconds", "0.3", "--json")
    assert "400 x 200" in json.loads(out)["model"]
    assert code == 0, out


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (("driver=folder", "folder=/none/such"), "✗ camera: there is no folder /none/such"),
        (("driver=opencv", "url=/dev/video77"), "there is no /dev/video77"),
        (("driver=opencv", "url=rtsp://127.0.0.1:9/x", "open_timeout_s=1"), "✗ camera"),
    ],
)
def test_a_camera_that_is_not_there_is_told_with_what_to_look_at(camera, settings, says):
    code, out, _ = camera("check", *[f"--set={one}" for one in settings], "--seconds", "0.3")
    assert code == 1
    assert says in out


def test_a_gige_cameras_refused_setting_is_told_with_its_range(camera, gige_camera):
    wrong = '--set=settings=[["ExposureTimeAbs", 1e9]]'
    code, out, _ = camera("check", "--set=driver=aravis", f"--set=device={gige_camera.device}", wrong)
    assert code == 1
    assert "ExposureTimeAbs cannot be 1000000000 (it may be 10 to 10000000)" in out


@pytest.mark.slow  # by default a snapshot shows it (test_line_has_it.py)
def test_a_gige_camera_that_another_program_has_is_told_so(camera, gige_camera):
    holder = open_camera({"driver": "aravis", "device": gige_camera.device})
    try:
        code, out, _ = camera("check", "--set=driver=aravis", f"--set=device={gige_camera.device}", "--seconds", "0.3")
    finally:
        holder.close()
    assert code == 1
    assert "systemctl stop appliance" in out


@pytest.mark.parametrize("kind", ["discover", "check", "preview", "snapshot"])
def test_each_command_explains_itself_with_examples(camera, kind):
    code, out, _ = camera(kind, "--help")
    assert code == 0
    assert "examples:" in out
    assert f"appliance camera {kind}" in out
