"""A camera's features (GenICam SFNC) set from an ordered list: applied, read back, refused where they differ.

Selectors make the order matter ("GainSelector" before "Gain"), so it is kept. The device is behind FeatureAccess; every
library that speaks GenICam gives one.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, assert_never

from camera.config.genicam import FeatureValue
from camera.errors import CameraConfigError

Kind = Literal["boolean", "integer", "float", "enumeration", "string", "command"]

LEGACY: Final[dict[str, tuple[str, ...]]] = {
    "ExposureTime": ("ExposureTimeAbs", "ExposureTimeRaw"),
    "Gain": ("GainAbs", "GainRaw"),
    "BlackLevel": ("BlackLevelAbs", "BlackLevelRaw"),
    "AcquisitionFrameRate": ("AcquisitionFrameRateAbs", "FrameRate"),
    "TriggerDelay": ("TriggerDelayAbs", "TriggerDelayRaw"),
    "LineDebouncerTime": ("LineDebouncerTimeAbs", "LineDebouncerTimeRaw"),
    "DeviceUserID": ("DeviceID",),
    "PtpEnable": ("GevIEEE1588",),
    "PtpStatus": ("GevIEEE1588Status",),
}
"""SFNC name -> names that cameras from before SFNC 2 have for it, the one of the same unit first."""


class FeatureRefused(Exception):
    """The device, or its library, did not take or give a value. Its text is the device's own."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a device says about one of its features, as it is now: selectors and other features change it."""

    kind: Kind
    minimum: float | None = None
    maximum: float | None = None
    increment: float | None = None
    """Numbers only; None where there is none."""
    unit: str = ""
    entries: tuple[str, ...] = ()
    """Enumerations only: what may be chosen now."""


class FeatureAccess(Protocol):
    """One open device. Each call goes to the camera (about a millisecond, 2.5 seconds where it is gone)."""

    def names(self) -> Sequence[str]:
        """All features that the device has; for hints."""

    def describe(self, name: str) -> Description | None:
        """None: it has no such feature. Raises: FeatureRefused."""

    def read(self, name: str) -> FeatureValue:
        """Raises: FeatureRefused."""

    def write(self, name: str, value: FeatureValue) -> None:
        """`value` has the type that the feature's kind asks for. Raises: FeatureRefused."""

    def execute(self, name: str) -> None:
        """Run a command. Raises: FeatureRefused."""


def apply(settings: Sequence[tuple[str, FeatureValue]], device: FeatureAccess) -> tuple[tuple[str, str], ...]:
    """Write each setting in its order, read it back, and return (name, value read back) in that order.

    A command is run where its value is true, and is "done"; the others are numbers, names and true or false as text.
    Raises: CameraConfigError at the first that the camera does not have, does not take or reads back as another:
    with what was asked, what it is, and what it may be.
    """
    return tuple((name, _apply_one(name, value, device)) for name, value in settings)


def _apply_one(name: str, asked: FeatureValue, device: FeatureAccess) -> str:
    description = _described(name, device)
    if description is None:
        raise CameraConfigError(f"the camera has no feature {name}{_hint(name, device)}")
    allowed = _allowed(description)
    value = _as_kind(name, asked, description, allowed)
    try:
        if description.kind == "command":
            if value:
                device.execute(name)
            return "done" if value else "not run"
        device.write(name, value)
        got = device.read(name)
    except FeatureRefused as refused:
        raise CameraConfigError(f"the camera does not take {name} = {_said(asked)}: {refused}{allowed}") from refused
    if not _same(value, got, description):
        raise CameraConfigError(f"{name} was set to {_said(asked)} and the camera says {_said(got)}{allowed}")
    return _said(got)


def _described(name: str, device: FeatureAccess) -> Description | None:
    try:
        return device.describe(name)
    except FeatureRefused as refused:
        raise CameraConfigError(f"the camera does not say what {name} may be: {refused}") from refused


def _hint(name: str, device: FeatureAccess) -> str:
    """The older name of the same thing, or the nearest one."""
    for modern, legacy in LEGACY.items():
        if name == modern or name in legacy:
            for other in (modern, *legacy):
                if _described(other, device) is not None:
                    return f"; this camera has {other} for it"
    near = difflib.get_close_matches(name, device.names(), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _allowed(description: Description) -> str:
    """A half sentence with the range or the entries; empty where there is nothing to tell."""
    if description.entries:
        return f" (this camera has {', '.join(description.entries)})"
    if description.minimum is None or description.maximum is None:
        return ""
    unit = f" {description.unit}" if description.unit else ""
    step = f" in steps of {_said(description.increment)}" if description.increment not in (None, 0, 1) else ""
    return f" (it may be {_said(description.minimum)} to {_said(description.maximum)}{unit}{step})"


def _as_kind(name: str, asked: FeatureValue, description: Description, allowed: str) -> FeatureValue:
    """The value in the feature's own type, checked against what it may be. Raises: CameraConfigError."""
    wrong = CameraConfigError(f"{name} = {_said(asked)} is no value of a feature of kind {description.kind}{allowed}")
    match description.kind:
        case "boolean" | "command":
            if not isinstance(asked, bool):
                raise wrong
            return asked
        case "integer" | "float":
            if isinstance(asked, bool | str):
                raise wrong
            return _as_number(name, asked, description, allowed)
        case "enumeration":
            if not isinstance(asked, str):
                raise wrong
            if description.entries and asked not in description.entries:
                near = difflib.get_close_matches(asked, description.entries, n=1)
                hint = f", did you mean {near[0]}?" if near else ""
                raise CameraConfigError(f"{name} cannot be {_said(asked)}{hint}{allowed}")
            return asked
        case "string":
            return asked if isinstance(asked, str) else str(asked)
    assert_never(description.kind)


def _as_number(name: str, asked: float, description: Description, allowed: str) -> float:
    low, high, step = description.minimum, description.maximum, description.increment
    if (low is not None and asked < low) or (high is not None and asked > high) or not math.isfinite(asked):
        raise CameraConfigError(f"{name} cannot be {_said(asked)}{allowed}")
    if description.kind == "float":
        return float(asked)
    if asked != int(asked) or (step and low is not None and (asked - low) % step):
        raise CameraConfigError(f"{name} cannot be {_said(asked)}{allowed}")
    return int(asked)


def _same(asked: FeatureValue, got: FeatureValue, description: Description) -> bool:
    """Cameras round floats to their own steps (a microsecond of exposure, a line of the sensor)."""
    if description.kind != "float":
        return asked == got
    step = description.increment or 0.0
    return math.isclose(float(asked), float(got), rel_tol=1e-3, abs_tol=max(step, 1e-9))


def _said(value: FeatureValue | None) -> str:
    """As people write it in the settings."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
