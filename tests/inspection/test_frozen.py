"""A camera that shows one picture over and over, with and without a video encoder between it and the box."""

import shutil
import subprocess

import cv2
import numpy as np
import pytest

from appliance.inspection.frozen import FrozenDetector
from camera.conveyor import Scene
from camera.frame import Frame, PixelFormat

SIZE = (320, 200)
H264 = "videoconvert ! x264enc tune=zerolatency bitrate=1000 key-int-max=25 ! h264parse ! mp4mux"


@pytest.fixture(scope="module")
def parts():
    scene = Scene(31, (SIZE[1], SIZE[0]))
    return [scene.part(index, "good")[0] for index in range(40)]


@pytest.fixture
def through_h264(tmp_path):
    """What a real encoder and a real decoder make of these pictures."""
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("NOT VERIFIED: gst-launch-1.0 is not installed, so no stream was encoded")

    def send(pictures):
        file = tmp_path / "stream.mp4"
        source = f"fdsrc fd=0 ! rawvideoparse format=gray8 width={SIZE[0]} height={SIZE[1]} framerate=25/1"
        command = ["gst-launch-1.0", "-q", *f"{source} ! {H264} ! filesink location={file}".split()]
        subprocess.run(command, input=np.stack(pictures).tobytes(), check=True, timeout=60)
        stream, decoded = cv2.VideoCapture(str(file)), []
        while (answer := stream.read())[0]:
            decoded.append(answer[1])
        assert len(decoded) == len(pictures)
        return decoded

    return send


def repeats(detector, pictures):
    formats = {2: PixelFormat.MONO8, 3: PixelFormat.BGR8}
    frames = [Frame(one, formats[one.ndim], 0, 1, exposed_ns=0, exposed_utc_ns=0) for one in pictures]
    return [detector.is_repeat(frame) for frame in frames]


def test_the_same_picture_again_is_found_and_another_is_not(parts):
    assert repeats(FrozenDetector(), [parts[0], parts[1], parts[1].copy(), parts[0]]) == [False, False, True, False]


def test_after_the_camera_was_opened_anew_nothing_is_a_repeat(parts):
    detector = FrozenDetector()
    repeats(detector, parts[:1])
    detector.forget()
    assert repeats(detector, parts[:1]) == [False]


def test_a_live_sensors_noise_alone_makes_two_pictures_differ(parts):
    noise = np.random.default_rng(1).integers(-1, 2, (10, *parts[0].shape))
    still = [np.clip(parts[0] + one, 0, 255).astype(np.uint8) for one in noise]
    assert not any(repeats(FrozenDetector(), still))


def test_a_frozen_sensor_behind_an_encoder_is_found_though_no_byte_is_the_same(parts, through_h264):
    stream = through_h264([parts[0]] * 40)
    assert sum(repeats(FrozenDetector(), stream)) < 35  # equal to the last bit: now and then only
    assert repeats(FrozenDetector(is_lossy=True), stream) == [False] + [True] * 39


def test_parts_that_go_by_before_an_encoder_are_no_repeats(parts, through_h264):
    assert not any(repeats(FrozenDetector(is_lossy=True), through_h264(parts)))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (9, 4, 3)])
def test_small_pictures_are_compared_as_well(shape):
    picture = np.zeros(shape, np.uint8)
    for is_lossy in (False, True):
        assert repeats(FrozenDetector(is_lossy=is_lossy), [picture, picture.copy(), picture + 9]) == [
            False,
            True,
            False,
        ]
