"""Device health after NAMUR NE 107: one word for the box, and the reasons behind it.

Pure: reasons in, state out. Who finds a reason says which of the five states it justifies; the box is as well
as its worst reason.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final


class DeviceHealth(enum.Enum):
    """The five status signals of NE 107, best first."""

    NORMAL = "NORMAL"
    """Everything is as it should be. An idle line is normal."""
    MAINTENANCE_REQUIRED = "MAINTENANCE_REQUIRED"
    """Works, and will not for ever: somebody should look at it at the next chance (outbox filling, disk low)."""
    OFF_SPEC = "OFF_SPEC"
    """Works outside what it was specified for: parts come faster than they can be judged, verdicts are late."""
    CHECK_FUNCTION = "CHECK_FUNCTION"
    """Not inspecting on purpose, for now: starting, stopping, being commissioned."""
    FAILURE = "FAILURE"
    """Parts that come now are not judged, or their results are not kept. They all count as failed."""


_ORDER: Final = tuple(DeviceHealth)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the box is not NORMAL: one finding about one component."""

    health: DeviceHealth
    code: str
    """Stable and in capitals, for programs: CAMERA_LOST, NO_MODEL, OUTBOX_FULL."""
    component: str
    """Which part of the box: `camera/top`, `model/surface`, `outbox`, `mqtt`."""
    message: str
    """One sentence for a person: what, where, what to do."""

    def as_json(self) -> dict[str, str]:
        """The form it has in `health` messages and answers."""
        return {
            "device_health": self.health.value,
            "code": self.code,
            "component": self.component,
            "message": self.message,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Reason":
        """The inverse of `as_json`."""
        return cls(DeviceHealth(value["device_health"]), value["code"], value["component"], value["message"])


def worst(reasons: Iterable[Reason]) -> DeviceHealth:
    """The state of a box with these reasons; NORMAL without any."""
    return max((reason.health for reason in reasons), key=_ORDER.index, default=DeviceHealth.NORMAL)
