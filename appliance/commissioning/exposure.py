"""How long the shutter of a camera stays open, as far as it tells."""

from contextlib import suppress
from typing import Final

from camera.config import AnyConfig, GenicamConfig, ShutterConfig
from camera.protocol import CameraInfo

_FEATURES: Final = ("ExposureTime", "ExposureTimeAbs")
"""Microseconds, in SFNC and before it."""


def exposure_s(settings: AnyConfig, info: CameraInfo | None) -> float | None:
    """As read back, else as set; None where neither says."""
    if isinstance(settings, ShutterConfig):
        return settings.exposure_s
    said = list(settings.settings) if isinstance(settings, GenicamConfig) else []
    for name, value in [*reversed(info.settings if info else ()), *reversed(said)]:
        if name in _FEATURES:
            with suppress(TypeError, ValueError):
                return float(str(value).split()[0]) / 1e6
    return None
