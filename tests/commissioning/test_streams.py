"""`appliance camera` with network streams: a real RTSP server, a real MJPEG server."""

import json

import pytest
from streams import MjpegServer, RtspServer, missing_for_rtsp


@pytest.fixture
def rtsp():
    if missing := missing_for_rtsp():
        pytest.skip(missing)
    server = RtspServer().start()
    yield server
    server.kill()


@pytest.fixture
def mjpeg():
    server = MjpegServer().start()
    yield server
    server.kill()


@pytest.mark.slow
def test_a_stream_over_http_is_measured_and_its_missing_clock_told(camera, mjpeg):
    code, out, _ = camera(
        "check", "--set=driver=opencv", f"--set=url={mjpeg.url}", "--set=trigger=free", "--seconds", "1"
    )
    assert code == 0, out
    assert "! stream: MJPEG over HTTP has no time of exposure" in out
    assert "✓ frame age" in out


@pytest.mark.slow
def test_an_rtsp_camera_is_measured_and_warned_of(camera, rtsp):
    settings = ("--set=driver=opencv", f"--set=url={rtsp.url}", "--set=trigger=free")
    code, out, _ = camera("check", *settings, "--seconds", "3", "--json")
    said = json.loads(out)
    sentences = {one["what"]: one for one in said["findings"]}
    assert "does not wait for a trigger" in sentences["stream"]["sentence"]
    assert said["pace"]["rate_hz"] > 10
    assert 0 < said["pace"]["age_p50_ms"] < 1000
    assert code == 0, out
