"""What is set on a camera before it acquires: the engineer's settings, then who exposes and what is counted."""

from typing import Final, Protocol

from camera.config import AravisConfig, FeatureValue
from camera.drivers.aravis.pixels import Layout, layout_called, readable
from camera.errors import CameraConfigError
from camera.features import FeatureAccess, apply

Settings = tuple[tuple[str, FeatureValue], ...]
Applied = tuple[tuple[str, str], ...]

COUNTER_CHUNK: Final = "ChunkCounterValue"
_EXPOSURE_TIMES: Final = ("ExposureTime", "ExposureTimeAbs")
"""Both in microseconds."""


class Features(FeatureAccess, Protocol):
    """See features.AravisFeatures."""

    def has(self, name: str) -> bool:
        """Whether it can be used as the camera is set now."""

    def entries(self, name: str) -> tuple[str, ...]:
        """What may be chosen of an enumeration now."""


def set_up(config: AravisConfig, features: Features) -> Applied:
    """Everything that was applied and read back, in that order. Raises: CameraConfigError, CameraLost.

    The engineer's settings come first, for they may load a user set, which sets everything.
    """
    applied = apply(config.settings, features)
    layout_of(features)
    return applied + apply(_exposing(config, features), features) + _counting(config, features)


def layout_of(features: Features) -> Layout:
    """How the camera's pictures are to be read. Raises: CameraConfigError, CameraLost."""
    name = str(features.read("PixelFormat"))
    layout = layout_called(name)
    if layout is None:
        can = ", ".join(readable(features.entries("PixelFormat"))) or "none that can be read"
        raise CameraConfigError(f"pixel format {name} cannot be read here; set PixelFormat (this camera has {can})")
    return layout


def exposure_s(features: Features) -> float:
    """Seconds of exposure; 0 where the camera does not say."""
    for name in _EXPOSURE_TIMES:
        if features.has(name):
            return float(features.read(name)) / 1e6
    return 0.0


def device_clock(features: Features) -> str:
    """Ptp where the camera's clock is in step with others, else free."""
    for enabled, status in (("PtpEnable", "PtpStatus"), ("GevIEEE1588", "GevIEEE1588Status")):
        if features.has(enabled) and features.has(status) and features.read(enabled):
            return "ptp" if str(features.read(status)) in {"Slave", "Master"} else "free"
    return "free"


def can_say_ready(features: Features) -> bool:
    """The camera tells in AcquisitionStatus whether it would take a trigger; asks it to. Raises: CameraLost."""
    if "FrameTriggerWait" not in features.entries("AcquisitionStatusSelector"):
        return False
    apply((("AcquisitionStatusSelector", "FrameTriggerWait"),), features)
    return features.has("AcquisitionStatus")


def _exposing(config: AravisConfig, features: Features) -> Settings:
    selectors = features.entries("TriggerSelector")
    settings: Settings = (("AcquisitionMode", "Continuous"),) if features.has("AcquisitionMode") else ()
    if not features.has("TriggerMode"):
        if config.trigger != "free":
            raise CameraConfigError(f'the camera cannot be triggered; trigger = "{config.trigger}" is not for it')
        return settings
    for selector in selectors:
        settings += (("TriggerSelector", selector), ("TriggerMode", "Off"))
    if config.trigger == "free":
        return settings or (("TriggerMode", "Off"),)
    if selectors:
        settings += (("TriggerSelector", "FrameStart"),)
    if config.trigger == "software":
        return (*settings, ("TriggerSource", "Software"), ("TriggerMode", "On"))
    settings += (("TriggerSource", config.trigger_source),)
    if features.has("TriggerActivation"):
        settings += (("TriggerActivation", config.trigger_activation),)
    return (*settings, ("TriggerMode", "On"))


def _counting(config: AravisConfig, features: Features) -> Applied:
    """Have the camera count the pulses of its input, from 0 now."""
    if config.counter == "none":
        return ()
    if not features.has("CounterEventSource"):
        raise CameraConfigError(
            f'the camera counts no pulses (CounterEventSource); set counter to "none", not "{config.counter}"'
        )
    settings: Settings = (("CounterEventSource", config.trigger_source),)
    if config.trigger_activation in features.entries("CounterEventActivation"):
        settings += (("CounterEventActivation", config.trigger_activation),)
    if features.has("CounterReset"):
        settings += (("CounterReset", True),)
    if config.counter == "chunk":
        if not features.has("ChunkModeActive"):
            raise CameraConfigError('the camera sends no chunk data (ChunkModeActive), which counter = "chunk" needs')
        settings += (("ChunkModeActive", True), ("ChunkSelector", "CounterValue"), ("ChunkEnable", True))
    return apply(settings, features)
