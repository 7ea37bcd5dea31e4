"""A camera has one owner: what is said while the line has it, and where a maker's library is missing."""

import pytest
from running import free_port, until

from appliance.api.server import HttpServer
from camera import open_camera


def well(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


def test_a_snapshot_while_the_line_has_the_camera_says_how_to_get_one(camera, config_file, gige_camera, tmp_path):
    port = free_port()
    line = HttpServer(well, "127.0.0.1", port)  # what answers where the line answers
    line.start()
    section = f'driver = "aravis"\ndevice = "{gige_camera.device}"'
    file = config_file(section, more=f"[http]\nport = {port}")
    holder = open_camera({"driver": "aravis", "device": gige_camera.device})
    try:
        code, _, err = camera("snapshot", "--config", file, "-o", tmp_path / "part.png")
    finally:
        holder.close()
        line.stop()
    assert code == 1
    assert "The line runs on this box and has camera top" in err
    assert "systemctl stop appliance" in err
    assert not (tmp_path / "part.png").exists()


@pytest.mark.slow
def test_the_running_line_keeps_its_camera(camera, appliance, gige_camera, tmp_path):
    settings = '[["Width", 256], ["Height", 128]]'
    section = f'driver = "aravis"\ndevice = "{gige_camera.device}"\nsettings = {settings}'
    line = appliance(
        camera=section, line="takt_ms = 200", recipe="deadline_ms = 190\ninput = { roi = [0, 0, 256, 128] }"
    )
    line.start()
    until(lambda: "Camera top is online" in line.log(), "the line to have its camera")
    code, _, err = camera("snapshot", "--config", line.config_file, "-o", tmp_path / "part.png")
    assert (code, "The line runs on this box and has camera top" in err) == (1, True), err
    line.stop()
    code, out, _ = camera("snapshot", "--config", line.config_file, "-o", tmp_path / "part.png")
    assert code == 0, out
    assert "256x128" in out


@pytest.mark.parametrize("command", [["camera", "check", "--seconds", "0.3"], ["check"]])
def test_a_makers_library_that_is_missing_is_a_sentence_with_the_command_that_installs_it(
    config_file, tmp_path, monkeypatch, capsys, command
):
    (tmp_path / "without" / "pypylon").mkdir(parents=True)
    (tmp_path / "without" / "pypylon" / "__init__.py").write_text("raise ImportError('No module named pypylon')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "without"), prepend=":")
    from appliance import cli

    code = cli.main([*command, "--config", str(config_file('driver = "pylon"'))])
    said = capsys.readouterr()
    assert code == 1
    assert "inspection-appliance[pylon]" in said.out
    assert "Traceback" not in said.out + said.err
