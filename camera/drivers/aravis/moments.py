"""When was a picture exposed? From the camera's clock where it has one, and from when its first packet came."""

from dataclasses import dataclass, field
from typing import Final

from camera.clockmap import ClockMap

_STEP_NS: Final = 1_000_000
"""A system clock that moved so much against the monotonic one between two pictures was set."""


@dataclass(frozen=True, slots=True)
class Now:
    """Both clocks at one moment, in nanoseconds."""

    monotonic_ns: int
    utc_ns: int


@dataclass
class Moments:
    """Dates the pictures of one start(). Pure: clocks are read by the caller.

    libaravis dates the first packet of each picture by the system's clock, which is good however late the picture is
    taken out of its queue; it is not used where that clock was set in between.
    """

    _clock: ClockMap = field(default_factory=ClockMap)
    _offset_ns: int | None = None

    def exposed_ns(self, device_time_ns: int | None, first_packet_utc_ns: int, now: Now) -> int:
        """CLOCK_MONOTONIC, about the end of exposure, never later than `now`; called once a picture, in order."""
        began_ns = self._began_ns(first_packet_utc_ns, now)
        return began_ns if device_time_ns is None else self._clock.exposed_ns(device_time_ns, began_ns)

    def _began_ns(self, first_packet_utc_ns: int, now: Now) -> int:
        offset_ns = now.utc_ns - now.monotonic_ns
        was_set = self._offset_ns is not None and abs(offset_ns - self._offset_ns) > _STEP_NS
        self._offset_ns = offset_ns
        if was_set or not first_packet_utc_ns:
            return now.monotonic_ns
        return min(first_packet_utc_ns - offset_ns, now.monotonic_ns)
