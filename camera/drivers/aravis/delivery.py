"""From what libaravis hands over to a Frame: which exposure it is, when it was made, which trigger it answers."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from camera.drivers.aravis.moments import Moments, Now
from camera.drivers.aravis.pixels import Layout
from camera.drivers.aravis.stream import Grabbed
from camera.drivers.aravis.triggers import SoftwareTriggers
from camera.errors import CameraLost
from camera.frame import Frame, FrameStatus
from camera.sequence import FrameCounter

SPARE_S: Final = 0.3
"""A triggered picture may take so much longer than its exposure and retention before it is given up."""


@dataclass(frozen=True, slots=True)
class Source:
    """What about an open camera is the same for all its frames until stop()."""

    epoch: int
    serial: str
    is_simulated: bool
    is_gige: bool
    is_triggered_here: bool
    layout: Layout
    clock: str
    """ptp or free."""
    picture_s: float
    """At most so long after its trigger a picture is here."""
    counter: Callable[[], int | None]
    """Reads the camera's counter of pulses, now; None where it has none, or sends it with each picture."""


@dataclass
class Delivery:
    """Frames of one start(). Threads: one."""

    source: Source
    last_at: float = field(default_factory=time.monotonic)
    """time.monotonic() of the last frame, or of start()."""

    unasked: int = 0
    """Frames that no trigger asked for: of one that was given before start(), or long ago."""

    def __post_init__(self) -> None:
        # GigE Vision 1 counts 16 bits and never 0; one of 64 bits is known by its first id that is larger.
        self._ids = FrameCounter(id_bits=16 if self.source.is_gige else 64, skips_zero=self.source.is_gige)
        self._moments = Moments()
        self.triggers = SoftwareTriggers(round(self.source.picture_s * 1e9))

    def frame(self, grabbed: Grabbed) -> Frame | None:
        """Called once for each, in order. None: no trigger asked for it, so it is no part's, and is counted only.

        Raises: CameraLost where the camera's own numbers make no sense.
        """
        now = Now(time.monotonic_ns(), time.time_ns())
        self.last_at = now.monotonic_ns / 1e9
        source = self.source
        exposed_ns = self._exposed_ns(grabbed, now)
        sequence = self._sequence(grabbed.frame_id)
        trigger = self.triggers.answered(exposed_ns) if source.is_triggered_here else None
        if source.is_triggered_here and trigger is None:
            self.unasked += 1
            return None
        if trigger is not None:
            exposed_ns = max(exposed_ns, trigger[1])  # the clocks' mapping is no better than that
        status = FrameStatus.OK
        if grabbed.problem:
            status = FrameStatus.CORRUPT if grabbed.is_complete else FrameStatus.INCOMPLETE
        return Frame(
            pixels=grabbed.pixels,
            pixel_format=(grabbed.layout or source.layout).given_as,
            sequence=sequence,
            epoch=source.epoch,
            exposed_ns=exposed_ns,
            exposed_utc_ns=now.utc_ns - now.monotonic_ns + exposed_ns,
            status=status,
            detail=_detail(grabbed),
            trigger_sequence=None if trigger is None else trigger[0],
            received_ns=grabbed.popped_ns,
            device_frame_id=grabbed.frame_id,
            device_time_ns=grabbed.device_time_ns,
            device_clock=source.clock if grabbed.device_time_ns is not None else "",
            trigger_count=grabbed.counted if grabbed.counted is not None else source.counter(),
            source=source.serial,
            is_simulated=source.is_simulated,
        )

    def _exposed_ns(self, grabbed: Grabbed, now: Now) -> int:
        if grabbed.frame_id is None:  # nothing in it is its own; it was given up just now
            return now.monotonic_ns
        return self._moments.exposed_ns(grabbed.device_time_ns, grabbed.first_packet_utc_ns, now)

    def _sequence(self, frame_id: int | None) -> int:
        if frame_id is None:
            return self._ids.unnumbered().sequence
        try:
            numbered = self._ids.number(frame_id)
        except ValueError as error:
            raise CameraLost(f"the camera numbers its frames anew ({error}): it is opened again") from error
        self.triggers.lost(numbered.lost_before)
        return numbered.sequence


def _detail(grabbed: Grabbed) -> str:
    if not grabbed.problem:
        return ""
    return grabbed.problem if grabbed.is_complete else f"the picture did not arrive whole: {grabbed.problem}"
