"""When was a picture of a stream exposed, and is it one that waited somewhere and only looks new? Pure."""

from dataclasses import dataclass
from typing import Final

from camera.clockmap import ClockMap

_LIVE_WAIT_NS: Final = 3_000_000
"""A picture for which the thread slept so long was not there yet; those out of a buffer cost their decoding only."""
_LIVE_WAITS: Final = 2
"""So many such pictures, and the buffer is empty."""
_CATCHING_UP_NS: Final = 5_000_000
"""A picture that is so much less late than the one before comes out of a buffer too."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a picture before it is looked at."""

    received_ns: int
    """CLOCK_MONOTONIC."""
    took_ns: int
    """From asking for it until it was there..."""
    slept_ns: int
    """...of which the thread did nothing but wait."""
    device_time_ns: int | None = None
    """The sender's clock."""


@dataclass(frozen=True, slots=True)
class Dated:
    """The answer."""

    exposed_ns: int
    """CLOCK_MONOTONIC."""
    doubt: str = ""
    """One sentence on why it may be older than it looks; empty: it does not."""


class Dating:
    """One of three rules, by what the source tells; start anew with every connection.

    - The sender's clock (RTSP): see ClockMap; older than usual by more than `stale_after_ns` is stale.
    - This computer's clock (V4L2): believed as it is; older than `stale_after_ns` is stale.
    - Nothing (MJPEG): exposed when it was received, less the latency. After a silence of `stale_after_ns` a picture
      may have been on its way for all of it, and the next one may have waited behind it: stale until two came live.

    For all but V4L2, pictures that were buffered while the connection was made are in doubt, until two came live;
    they would set the clock's map wrong. Threads: one.
    """

    def __init__(self, *, clock: str, latency_ns: int, stale_after_ns: int) -> None:
        """`clock`: "sender", "monotonic" or ""."""
        self._clock = clock
        self._latency_ns = latency_ns
        self._stale_after_ns = stale_after_ns
        self._map = ClockMap(latency_ns=latency_ns)
        self._live = 0
        self._is_settled = clock == "monotonic"
        self._offset_ns: int | None = None

    @property
    def is_settled(self) -> bool:
        """What was buffered before this one looked is through."""
        return self._is_settled

    def date(self, arrival: Arrival) -> Dated:
        """Once a picture, in order."""
        if not self._is_settled:
            self._settle(arrival)
            if not self._is_settled:
                return Dated(self._at_latest(arrival), "the picture was buffered while the connection was made")
        if self._clock and arrival.device_time_ns is not None:
            return self._by_its_clock(arrival, arrival.device_time_ns)
        return self._by_silence(arrival)

    def _settle(self, arrival: Arrival) -> None:
        if arrival.slept_ns >= _LIVE_WAIT_NS:
            self._live += 1
        if arrival.device_time_ns is not None:
            offset_ns = arrival.received_ns - arrival.device_time_ns
            if self._offset_ns is not None and self._offset_ns - offset_ns > _CATCHING_UP_NS:
                self._live = 0
            self._offset_ns = offset_ns
        # The very first may have been waited for as a key frame, or for its rest, while newer ones came.
        self._is_settled = self._live > _LIVE_WAITS

    def _by_its_clock(self, arrival: Arrival, device_time_ns: int) -> Dated:
        if self._clock == "monotonic":
            exposed_ns = min(device_time_ns, arrival.received_ns) - self._latency_ns
        else:
            exposed_ns = self._map.exposed_ns(device_time_ns, arrival.received_ns)
        late_ns = self._at_latest(arrival) - exposed_ns
        if late_ns > self._stale_after_ns:
            return Dated(exposed_ns, f"the picture came {late_ns / 1e9:.1f} s later than usual")
        return Dated(exposed_ns)

    def _by_silence(self, arrival: Arrival) -> Dated:
        if arrival.took_ns > self._stale_after_ns:
            self._live = 0
        elif self._live < _LIVE_WAITS and arrival.slept_ns >= _LIVE_WAIT_NS:
            self._live += 1
        doubt = "" if self._live >= _LIVE_WAITS else "the picture may have waited while the camera was silent"
        return Dated(self._at_latest(arrival), doubt)

    def _at_latest(self, arrival: Arrival) -> int:
        return arrival.received_ns - self._latency_ns
