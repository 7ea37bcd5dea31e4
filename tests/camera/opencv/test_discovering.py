"""Which cameras OpenCV could open, asked over real sockets and devices."""

import re
import socket
import threading
from pathlib import Path

import pytest

from camera import check_config
from camera.drivers.opencv.devices import look_at, video_devices
from camera.drivers.opencv.discovering import discover
from camera.drivers.opencv.onvif import probe
from camera.errors import CameraConfigError, CameraNotFound

ANSWER = """<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Body><d:ProbeMatches><d:ProbeMatch>
<d:Types>dn:NetworkVideoTransmitter</d:Types>
<d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Gate%20camera
 onvif://www.onvif.org/hardware/IPC-42</d:Scopes>
<d:XAddrs>http://[fe80::1]/onvif/device_service http://127.0.0.1:8080/onvif/device_service</d:XAddrs>
</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"""


@pytest.fixture
def answering():
    """answering(*answers): the address of somebody who answers a probe so, twice each, as cameras do."""
    sockets = []

    def start(*answers):
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(10)
        sockets.append(listening)

        def answer():
            question, asker = listening.recvfrom(65_535)
            assert re.search(rb"MessageID>uuid:[0-9a-f-]{36}<.*dn:NetworkVideoTransmitter", question, re.DOTALL)
            for one in answers * 2:
                listening.sendto(one, asker)

        threading.Thread(target=answer, daemon=True).start()
        return listening.getsockname()

    yield start
    for one in sockets:
        one.close()


def test_a_network_camera_that_answers_is_found_once_by_the_address_that_it_can_be_reached_at(answering):
    (camera,) = probe(0.5, answering(ANSWER.encode()))
    assert camera.host == "127.0.0.1"
    assert camera.service == "http://127.0.0.1:8080/onvif/device_service"
    assert camera.model == "Gate camera IPC-42"


def test_answers_that_are_none_are_passed_over(answering):
    rubbish = (b"", b"\xff\xfe", b"<d:XAddrs></d:XAddrs>", b"<XAddrs>file:///etc/passwd</XAddrs>", b"<" * 60_000)
    assert probe(0.5, answering(*rubbish)) == []


def test_devices_are_told_with_what_opens_them():
    looked = discover(0.1)
    assert looked.driver == "opencv"
    for found in looked.found:
        assert found.note or check_config(found.settings)


def test_what_is_no_camera_is_a_sentence(tmp_path):
    with pytest.raises(CameraNotFound, match="is the camera plugged in"):
        look_at(str(tmp_path / "video0"))
    with pytest.raises(CameraConfigError, match=r"/dev/null is not a video device \(V4L2\)"):
        look_at("/dev/null")


def test_devices_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("video10", "video2", "video", "video-x", "v4l-subdev0"):
        (tmp_path / name).touch()
    assert video_devices(tmp_path) == [str(tmp_path / "video2"), str(tmp_path / "video10")]


@pytest.mark.skipif(not list(Path("/dev").glob("video*")), reason="not verified: no V4L2 device on this machine")
def test_a_real_device_tells_its_name_and_formats():
    device = look_at(video_devices()[0])
    assert device.model
    assert device.formats or not device.gives_pictures
