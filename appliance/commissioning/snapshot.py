"""`appliance camera snapshot`: pictures to files, as the line would see them, without loss."""

import json
import sys
from argparse import Namespace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from appliance.commissioning.choosing import Chosen, choose
from appliance.commissioning.errors import CommissioningError
from appliance.commissioning.opening import opened
from camera.checking.picture import as_bgr
from camera.checking.trial import expose
from camera.errors import CameraTimeout
from camera.frame import Frame
from camera.protocol import CameraInfo

_PNG_LEVEL: Final = 1
"""The fastest: 50 ms for 1920 x 1200, and a tenth larger."""


def snapshot(options: Namespace) -> int:
    """Returns the exit code: 1 where a picture was damaged."""
    if options.output is not None and (options.count > 1 or options.folder is not None):
        raise CommissioningError("-o is one picture's file; with --count or --folder the names are made here.")
    if options.output is not None and options.output.suffix.lower() != ".png":
        raise CommissioningError(f"{options.output} does not end in .png; PNG is what keeps a picture as it is.")
    chosen = choose(options)
    folder: Path = options.folder or Path()
    folder.mkdir(parents=True, exist_ok=True)
    damaged = 0
    with opened(chosen) as camera:
        camera.start()
        for number in range(options.count):
            try:
                frame = expose(camera, options.timeout)
            except CameraTimeout as error:
                raise CommissioningError(_nothing_came(chosen, options.timeout, error)) from error
            file = options.output or folder / f"{chosen.name}-{_stamp(frame)}-{number:04d}.png"
            damaged += not _save(frame, file, chosen, camera.info)
            _tell(file, frame)
            camera.idle()
        camera.stop()
    return 1 if damaged else 0


def _nothing_came(chosen: Chosen, timeout_s: float, error: CameraTimeout) -> str:
    if chosen.settings.trigger == "hardware":
        return (
            f"No pulse exposed the camera in {timeout_s:g} s: let a part pass, or take a picture with "
            "--set trigger=software"
        )
    return f"No picture came in {timeout_s:g} s: {error}; appliance camera check says more"


def _save(frame: Frame, file: Path, chosen: Chosen, info: CameraInfo) -> bool:
    """Both files. Returns whether the picture is whole."""
    import cv2

    if frame.pixels is not None:
        encoded, png = cv2.imencode(
            ".png", as_bgr(frame.pixels, frame.pixel_format), [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
        )
        if not encoded:
            raise CommissioningError(
                f"The picture cannot be encoded as PNG: {frame.shape} pixels, {frame.pixel_format.value}"
            )
        _write(file, png.tobytes())
    _write(file.with_suffix(".json"), json.dumps(_known(frame, chosen, info), indent=2).encode())
    return frame.status.value == "ok"


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise CommissioningError(f"{file} cannot be written: {error.strerror}") from error


def _known(frame: Frame, chosen: Chosen, info: CameraInfo) -> dict[str, Any]:
    """What the file beside the picture says."""
    height, width = frame.shape
    return {
        "camera": chosen.name,
        "model": info.model,
        "serial": info.serial,
        "exposure_time_utc": _utc(frame).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "width": width,
        "height": height,
        "pixel_format": frame.pixel_format.value,
        "status": frame.status.value,
        "detail": frame.detail or None,
        "sequence": frame.sequence,
        "device_frame_id": frame.device_frame_id,
        "device_time_ns": frame.device_time_ns,
        "trigger_count": frame.trigger_count,
        "source": frame.source,
        "is_simulated": frame.is_simulated,
        "settings": chosen.settings.model_dump(mode="json", exclude_none=True),
        "read_back": dict(info.settings),
    }


def _tell(file: Path, frame: Frame) -> None:
    height, width = frame.shape
    if frame.status.value == "ok":
        print(f"{file}: {width}x{height}, {frame.pixel_format.value}", flush=True)
    else:
        print(f"{file}: {frame.status.value}: {frame.detail}", file=sys.stderr, flush=True)


def _utc(frame: Frame) -> datetime:
    return datetime.fromtimestamp(frame.exposed_utc_ns / 1e9, tz=timezone.utc)


def _stamp(frame: Frame) -> str:
    return _utc(frame).strftime("%Y%m%dT%H%M%S")
