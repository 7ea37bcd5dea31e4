"""From what the library hands over to a Frame: which exposure it is, when it was made, and whether all of it came."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from camera.clockmap import ClockMap
from camera.drivers.pylon.pixels import Unpacking
from camera.errors import CameraLost
from camera.frame import Frame, FrameStatus, PixelFormat
from camera.sequence import FrameCounter

_FIRST_WITHIN: Final = 100
"""A camera whose first frame has a number not further than this from where it begins has lost those before."""
_NO_ID: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Source:
    """What about an open camera is the same for all its frames until stop()."""

    unpacking: Unpacking
    epoch: int
    is_emulated: bool
    serial: str
    id_bits: int
    """16 for GigE Vision 1, where the numbers begin at 1 and 0 means that there is none; else 64, and from 0."""
    ticks_per_s: int
    clock: str
    """ptp or free."""
    exposure_ns: int
    """From the trigger to the end of exposure: delay and exposure time."""
    counter: Any = None
    """Tells the pulses of the camera's input, given a result; None where nothing does."""


@dataclass
class Delivery:
    """Frames of one start(). Threads: triggered() on the camera's, frame() on the drain's."""

    source: Source
    is_triggered_here: bool
    _clock: ClockMap = field(default_factory=ClockMap)
    _triggered_ns: deque[tuple[int, int]] = field(default_factory=deque)
    _triggers: int = 0
    _results: int = 0
    _is_primed: bool = False

    def __post_init__(self) -> None:
        self._first_id = 1 if self.source.id_bits == 16 else 0
        self._ids = FrameCounter(id_bits=self.source.id_bits, skips_zero=self.source.id_bits == 16)

    def triggered(self, at_ns: int) -> None:
        """The camera has taken a trigger: it makes one exposure for it, the next in the sequence."""
        self._triggered_ns.append((self._triggers, at_ns))
        self._triggers += 1

    def frame(self, result: Any, received_ns: int) -> Frame:
        """Raises: CameraLost where the camera's own numbers make no sense."""
        device_id = self._device_id(result)
        sequence = self._sequence(device_id)
        ticks = result.GetTimeStamp()
        device_ns = ticks * 1_000_000_000 // self.source.ticks_per_s if ticks else None
        exposed_ns = self._exposed_ns(sequence, device_ns, received_ns)
        pixels, status, detail = self._pixels(result)
        return Frame(
            pixels=pixels,
            pixel_format=PixelFormat(self.source.unpacking.pixel_format),
            sequence=sequence,
            epoch=self.source.epoch,
            exposed_ns=exposed_ns,
            exposed_utc_ns=time.time_ns() - time.monotonic_ns() + exposed_ns,
            status=status,
            detail=detail,
            trigger_sequence=sequence if self.is_triggered_here else None,
            received_ns=received_ns,
            device_frame_id=device_id,
            device_time_ns=device_ns,
            device_clock="" if device_ns is None else self.source.clock,
            trigger_count=None if self.source.counter is None else self.source.counter(result),
            source=self.source.serial,
            is_simulated=self.source.is_emulated,
        )

    def _device_id(self, result: Any) -> int | None:
        number: int = result.GetBlockID()
        return None if number == _NO_ID or (number == 0 and self._first_id == 1) else number

    def _sequence(self, device_id: int | None) -> int:
        self._results += 1
        if device_id is None:  # nothing tells what was lost: the trigger ledger's time is all there is
            return self._results - 1
        if self._results == 1 and 0 <= device_id - self._first_id < _FIRST_WITHIN:
            self._ids.number(self._first_id - 1)
            self._is_primed = True
        try:
            numbered = self._ids.number(device_id)
        except ValueError as error:
            raise CameraLost(f"the camera numbers its frames anew ({error}): it is opened again") from error
        return numbered.sequence - self._is_primed

    def _exposed_ns(self, sequence: int, device_ns: int | None, received_ns: int) -> int:
        """The trigger's time where we gave it, else the camera's clock, else when the picture was here."""
        clocked_ns = received_ns if device_ns is None else self._clock.exposed_ns(device_ns, received_ns)
        while self._triggered_ns and self._triggered_ns[0][0] < sequence:
            self._triggered_ns.popleft()  # its frame never came
        if self._triggered_ns and self._triggered_ns[0][0] == sequence:
            return min(self._triggered_ns.popleft()[1] + self.source.exposure_ns, received_ns)
        return clocked_ns

    def _pixels(self, result: Any) -> tuple[Any, FrameStatus, str]:
        if result.GrabSucceeded():
            return self.source.unpacking(result), FrameStatus.OK, ""
        said = result.GetErrorDescription().strip() or f"error {result.GetErrorCode():#x}"
        pixels = self.source.unpacking(result) if result.GetImageSize() and result.GetHeight() else None
        return pixels, FrameStatus.INCOMPLETE, f"the picture did not arrive whole: {said}"
