"""USB cameras and capture cards: Video4Linux, by OpenCV."""

import math
import os
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from camera.config import OpencvConfig
from camera.drivers.opencv.capture import Capture, Pixels, Source, as_bgr, as_grey
from camera.drivers.opencv.devices import VideoDevice, look_at
from camera.drivers.opencv.network import wrong_size
from camera.errors import CameraConfigError, CameraInUse
from camera.protocol import CameraInfo

_BRIGHTNESS_FIRST: Final = ("GREY", "YUYV")
"""Formats whose first byte of each pixel is its brightness: grey without a conversion."""
_COMPRESSED: Final = ("MJPG", "JPEG", "H264", "HEVC")
_DESTROYS = "The camera compresses ({}): fine defects are lost. Ask for a raw format (device_format), if it has one."


def open_v4l2(config: OpencvConfig) -> Capture:
    """Set it up and read back what it took.

    Raises: CameraNotFound, CameraInUse, CameraConfigError.
    """
    device = look_at(config.url)
    if not device.gives_pictures:
        raise CameraConfigError(f"{config.url} ({device.model}) is not a camera's picture device; try the next number")
    wanted = config.device_format
    if wanted is not None and wanted not in device.formats:
        can = ", ".join(device.formats)
        raise CameraConfigError(
            f"{config.url} ({device.model}) cannot give {wanted}; set device_format to one of {can}"
        )
    # Whole seconds, read once a process: a driver has its own.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(max(1, math.floor(config.read_timeout_s))))
    # No timeouts here: with READ_TIMEOUT_MSEC a V4L2 device does not open.
    capture = cv2.VideoCapture(config.url, cv2.CAP_V4L2)
    try:
        return _set_up(capture, config, device)
    except BaseException:
        capture.release()
        raise


def _set_up(capture: cv2.VideoCapture, config: OpencvConfig, device: VideoDevice) -> Capture:
    if not capture.isOpened():
        raise CameraInUse(
            f"{config.url} ({device.model}) does not start: most likely another program has it (fuser -v {config.url})"
        )
    if config.device_format is not None:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*config.device_format))
    for what, value in (
        (cv2.CAP_PROP_FRAME_WIDTH, config.width_px),
        (cv2.CAP_PROP_FRAME_HEIGHT, config.height_px),
        (cv2.CAP_PROP_FPS, config.frame_rate_hz),
    ):
        if value is not None:
            capture.set(what, value)
    came = round(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("ascii", "replace")
    if config.device_format not in (None, came):
        raise CameraConfigError(f"{config.url} ({device.model}) was asked for {config.device_format} and gives {came}")
    size = (round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    if (wrong := wrong_size(config, size)) is not None:
        raise wrong
    is_raw = config.pixel_format == "Mono8" and came in _BRIGHTNESS_FIRST
    capture.set(cv2.CAP_PROP_CONVERT_RGB, 0 if is_raw else 1)
    if bool(capture.get(cv2.CAP_PROP_CONVERT_RGB)) is is_raw:
        raise CameraConfigError(f"{config.url} ({device.model}): {came} cannot be given as {config.pixel_format}")
    return Capture(capture, _source(capture, config, device, came, size, is_raw=is_raw), config.url)


def _source(
    capture: cv2.VideoCapture,
    config: OpencvConfig,
    device: VideoDevice,
    came: str,
    size: tuple[int, int],
    *,
    is_raw: bool,
) -> Source:
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    notes = [_DESTROYS.format(came)] if came in _COMPRESSED else []
    if config.frame_rate_hz is not None and abs(rate_hz - config.frame_rate_hz) > 0.01 * config.frame_rate_hz:
        notes.append(f"{config.frame_rate_hz:g} frames a second were asked for, and the device says {rate_hz:g}.")
    to_pixels: Callable[[Pixels], Pixels] = as_grey if config.pixel_format == "Mono8" else as_bgr
    info = CameraInfo(
        driver="opencv",
        model=device.model,
        serial=device.bus or device.path,
        settings=(("format", came), ("size", f"{size[0]} x {size[1]}"), ("frame_rate_hz", f"{rate_hz:g}")),
        notes=tuple(notes),
    )
    return Source(
        info=info,
        clock="monotonic",
        latency_s=config.latency_s or 0.0,
        size=size,
        read_timeout_s=config.read_timeout_s,
        to_pixels=brightness(size) if is_raw else to_pixels,
    )


def brightness(size: tuple[int, int]) -> Callable[[Pixels], Pixels]:
    """For raw pictures of _BRIGHTNESS_FIRST: (height, width) of however many bytes a pixel, flat or not."""
    width, height = size

    def first_bytes(raw: Pixels) -> Pixels:
        each = raw.size // (width * height)
        return np.ascontiguousarray(raw.reshape(height, width, each)[..., 0])

    return first_bytes
