"""What is set on a Basler camera before it acquires: the engineer's settings, then who exposes and what is counted."""

from camera.config import FeatureValue, PylonConfig
from camera.drivers.pylon.access import NodeMapAccess
from camera.errors import CameraConfigError
from camera.features import apply

Settings = tuple[tuple[str, FeatureValue], ...]

COUNTER_CHUNKS = (("CounterValue", "ChunkCounterValue"), ("Triggerinputcounter", "ChunkTriggerinputcounter"))
"""(ChunkSelector, the chunk's name): the standard's, and that of Basler's GigE cameras from before it."""


def set_up(config: PylonConfig, device: NodeMapAccess) -> tuple[tuple[str, str], ...]:
    """Everything that was applied and read back, in that order. Raises: CameraConfigError.

    The engineer's settings come first, for they may load a user set, which sets everything.
    """
    applied = apply(config.settings, device)
    return applied + apply(_exposing(config), device) + _counting(config, device)


def counter_chunk(device: NodeMapAccess) -> str | None:
    """The chunk in which the pulses of the camera's input come; None where it has none that is on."""
    for selector, chunk in COUNTER_CHUNKS:
        if _can_select(device, "ChunkSelector", selector):
            return chunk
    return None


def _exposing(config: PylonConfig) -> Settings:
    always: tuple[tuple[str, FeatureValue], ...] = (
        ("AcquisitionMode", "Continuous"),
        ("TriggerSelector", "FrameStart"),
    )
    match config.trigger:
        case "free":
            return (*always, ("TriggerMode", "Off"))
        case "software":
            return (*always, ("TriggerMode", "On"), ("TriggerSource", "Software"))
        case "hardware":
            source, edge = config.trigger_source, config.trigger_activation
            return (*always, ("TriggerMode", "On"), ("TriggerSource", source), ("TriggerActivation", edge))


def _counting(config: PylonConfig, device: NodeMapAccess) -> tuple[tuple[str, str], ...]:
    if config.counter == "none":
        return ()
    applied: tuple[tuple[str, str], ...] = ()
    if _can_select(device, "CounterEventSource", config.trigger_source):
        applied += apply((("CounterEventSource", config.trigger_source), ("CounterReset", True)), device)
    if config.counter == "register":
        if not device.has("CounterValue"):
            raise CameraConfigError(f"the camera has no CounterValue, which counter = {config.counter!r} needs")
        return applied
    if not device.has("ChunkModeActive"):
        raise CameraConfigError("the camera sends no chunk data (ChunkModeActive), which counter = 'chunk' needs")
    applied += apply((("ChunkModeActive", True),), device)
    chunk = counter_chunk(device)
    if chunk is None:
        needed = " nor ".join(selector for selector, _ in COUNTER_CHUNKS)
        raise CameraConfigError(f"the camera's chunks tell no pulses of its input: it has neither {needed}")
    selectors = [selector for selector, name in COUNTER_CHUNKS if name == chunk]
    selectors += [name for name in ("Timestamp", "ExposureTime") if _can_select(device, "ChunkSelector", name)]
    for selector in selectors:
        applied += apply((("ChunkSelector", selector), ("ChunkEnable", True)), device)
    return applied


def _can_select(device: NodeMapAccess, feature: str, entry: str) -> bool:
    description = device.describe(feature) if device.has(feature) else None
    return description is not None and entry in description.entries
