"""RTSP, and MJPEG over HTTP: by OpenCV's FFmpeg."""

import os
import threading
import time
from collections.abc import Callable
from typing import Final

import cv2

from camera.config import OpencvConfig
from camera.drivers.opencv.capture import Capture, Pixels, Source, as_bgr, as_grey, jpeg_as_bgr, jpeg_as_grey
from camera.drivers.opencv.login import address
from camera.drivers.opencv.reaching import why_not
from camera.errors import CameraConfigError
from camera.protocol import CameraInfo

_OPENING: Final = threading.Lock()
"""FFmpeg's options are the environment's, so they are those of the whole process."""
_WHY_S: Final = 1.0
_RTSP_LATENCY_S: Final = 0.05
_HTTP_LATENCY_S: Final = 0.02
_FRAME_RATES_HZ: Final = (1.0, 240.0)
_DESTROYS = (
    "The camera compresses (H.264, H.265 or JPEG): fine defects are lost before a model sees them. Good for an "
    "overview; for inspection take a camera that sends raw pictures (GigE Vision, USB3 Vision)."
)
_NO_CLOCK = (
    "MJPEG carries no time of exposure: a picture that the network holds up evenly, behind others, looks as new as "
    "any. Take RTSP where the camera has it."
)
_UDP = "With transport udp a lost packet smears the picture, and nobody marks it; tcp loses none."


def open_network(config: OpencvConfig) -> Capture:
    """Connect; `config.open_timeout_s` and at most 2 s more to find out why not.

    Raises: CameraNotFound, CameraConfigError.
    """
    is_rtsp = config.url.startswith("rtsp")
    capture = _connect(config, time.monotonic() + config.open_timeout_s)
    if not capture.isOpened():
        raise why_not(config.url, has_login=config.username is not None, timeout_s=_WHY_S)
    size = (round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    if (wrong := wrong_size(config, size)) is not None:
        capture.release()
        raise wrong
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    notes = [_DESTROYS]
    if not is_rtsp:
        notes.append(_NO_CLOCK)
    elif config.transport == "udp":
        notes.append(_UDP)
    latency_s = config.latency_s
    if latency_s is None:
        latency_s = _guessed_latency_s(config, rate_hz) if is_rtsp else _HTTP_LATENCY_S
        notes.append(
            f"latency_s is not set: {latency_s:.3f} s from exposure to picture are assumed, and this camera may need "
            "more. Let it look at a running clock, and set it."
        )
    settings = [("size", f"{size[0]} x {size[1]}"), ("codec", _fourcc(capture)), ("latency_s", f"{latency_s:.3f}")]
    if is_rtsp:
        settings += [("transport", config.transport), ("frame_rate_hz", f"{rate_hz:g}")]
    info = CameraInfo(
        driver="opencv",
        model="RTSP stream" if is_rtsp else "MJPEG stream",
        serial=config.url,
        settings=tuple(settings),
        notes=tuple(notes),
    )
    is_grey = config.pixel_format == "Mono8"
    to_pixels: Callable[[Pixels], Pixels | None] = as_grey if is_grey else as_bgr
    if not is_rtsp:
        capture.set(cv2.CAP_PROP_FORMAT, -1)  # the JPEGs as they come
        to_pixels = jpeg_as_grey if is_grey else jpeg_as_bgr
    source = Source(
        info=info,
        clock="sender" if is_rtsp else "",
        latency_s=latency_s,
        size=size,
        read_timeout_s=config.read_timeout_s,
        to_pixels=to_pixels,
        may_change_size=is_rtsp,
    )
    return Capture(capture, source, config.url)


def wrong_size(config: OpencvConfig, size: tuple[int, int]) -> CameraConfigError | None:
    """Where the settings name a size, it is that one."""
    wanted = (config.width_px or size[0], config.height_px or size[1])
    if size == wanted:
        return None
    return CameraConfigError(
        f"{config.url} gives pictures of {size[0]} x {size[1]} pixels, and the settings say {wanted[0]} x {wanted[1]}: "
        "change one of them"
    )


def _connect(config: OpencvConfig, deadline: float) -> cv2.VideoCapture:
    """Without nobuffer: with it FFmpeg throws away what it has looked at and waits for the next key frame, seconds.

    Without sound: a second stream would move the first one's times at the sender's first report.
    """
    options = f"rtsp_transport;{config.transport}|allowed_media_types;video|flags;low_delay|fpsprobesize;0"
    url = address(config)
    with _OPENING:
        open_ms = max(100, round((deadline - time.monotonic()) * 1e3))
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = options
        os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"  # nothing: addresses stand in what it says
        os.environ["OPENCV_FFMPEG_DECODE_ATTEMPTS"] = "10000"  # packets until the first key frame; 64 otherwise
        parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, open_ms]
        # The first picture waits for a key frame; after that see Capture.grab().
        parameters += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(max(config.open_timeout_s, config.read_timeout_s) * 1e3)]
        parameters += [cv2.CAP_PROP_N_THREADS, 1]  # each more is a picture's time of delay
        return cv2.VideoCapture(url, cv2.CAP_FFMPEG, parameters)


def _guessed_latency_s(config: OpencvConfig, rate_hz: float) -> float:
    """FFmpeg gives a picture when the next one begins; and encoding, sending and decoding take some time."""
    rate_hz = config.frame_rate_hz or rate_hz
    low, high = _FRAME_RATES_HZ
    return _RTSP_LATENCY_S + (1 / rate_hz if low <= rate_hz <= high else 0.04)


def _fourcc(capture: cv2.VideoCapture) -> str:
    return round(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("ascii", "replace")
