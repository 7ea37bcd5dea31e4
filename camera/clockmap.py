"""From a camera's clock to this computer's: when was the picture exposed, however late it came?"""

from typing import Final

_PER_MILLION: Final = 1_000_000


class ClockMap:
    """Device time -> CLOCK_MONOTONIC, by the smallest (received - device time) seen: the picture that came quickest.

    Whatever came slower than that waited on its way, and is so much older. Clocks drift apart, so the smallest
    offset is forgotten slowly, by `drift_ppm`; a picture therefore looks newer than it is by at most that share of the
    time since one came promptly (200 ppm: 12 ms after a minute), and by the time that even the quickest one needed,
    which no clock shows (`latency_ns`, where somebody measured it).

    One map for one epoch: reset() at every start(), for a camera's clock may begin anew. A clock that is set back
    makes every picture look old (never an old one new); the driver then opens the camera again.
    Pure: it reads no clock. Threads: one. Cost: some integer operations a frame.
    """

    def __init__(self, drift_ppm: int = 200, latency_ns: int = 0) -> None:
        """`latency_ns`: what the quickest picture needs from its exposure until it is received."""
        self._drift_ppm = drift_ppm
        self._latency_ns = latency_ns
        self._offset_ns: int | None = None
        self._received_ns = 0

    @property
    def is_set(self) -> bool:
        """A picture was seen since reset()."""
        return self._offset_ns is not None

    def exposed_ns(self, device_time_ns: int, received_ns: int) -> int:
        """CLOCK_MONOTONIC of a picture's moment on the device's clock; never later than `received_ns` - latency.

        Called once a picture, in the order in which they came: it learns from each. Both in nanoseconds;
        `received_ns` is CLOCK_MONOTONIC when the whole picture was here.
        """
        offset_ns = received_ns - device_time_ns
        if self._offset_ns is not None:
            forgotten_ns = max(0, received_ns - self._received_ns) * self._drift_ppm // _PER_MILLION
            offset_ns = min(offset_ns, self._offset_ns + forgotten_ns)
        self._offset_ns = offset_ns
        self._received_ns = received_ns
        return device_time_ns + offset_ns - self._latency_ns

    def reset(self) -> None:
        """Forget what was learnt: the device's clock may have begun anew."""
        self._offset_ns = None
