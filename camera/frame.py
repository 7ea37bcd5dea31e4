"""One exposure: the pixels and everything known about them."""

import enum
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


class FrameStatus(enum.Enum):
    """Whether the pixels may be judged. Anything but OK never reaches a model."""

    OK = "ok"
    INCOMPLETE = "incomplete"
    """Part of the picture never arrived (lost packets, a cut file)."""
    CORRUPT = "corrupt"
    """It arrived, and cannot be decoded."""
    STALE = "stale"
    """It is a picture from before the trigger: the driver knows that it is old."""


class PixelFormat(enum.Enum):
    """How to read `Frame.pixels`; the names are those of the GenICam pixel format naming convention."""

    MONO8 = "Mono8"
    """(height, width), uint8."""
    BGR8 = "BGR8"
    """(height, width, 3), uint8, blue first: what OpenCV decodes to."""
    RGB8 = "RGB8"
    """(height, width, 3), uint8, red first."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One exposure, never changed after it was made.

    The pixels belong to the frame alone (no driver buffer behind them) and are read-only, so a frame may be
    kept for as long as anyone likes and read from any thread.
    """

    pixels: npt.NDArray[np.uint8] | None
    """See `pixel_format` for the shape. None only where `status` is not OK and nothing could be read."""
    pixel_format: PixelFormat
    sequence: int
    """Counts from 0 at start() in steps of one per exposure made; a jump is a frame that was lost."""
    epoch: int
    """Goes up by one at every open(); sequences compare only within one epoch."""
    exposed_ns: int
    """CLOCK_MONOTONIC, nanoseconds, at the (estimated) end of exposure. For durations and deadlines."""
    exposed_utc_ns: int
    """Nanoseconds since 1970 UTC of the same moment. For records only, never for durations."""
    status: FrameStatus = FrameStatus.OK
    detail: str = ""
    """One sentence on why the status is not OK; empty otherwise."""
    trigger_sequence: int | None = None
    """Which trigger() since start() this exposure answers, from 0; None when the camera triggers itself."""
    received_ns: int = 0
    """CLOCK_MONOTONIC, nanoseconds, when the driver had the whole picture; 0 where it does not say."""
    device_frame_id: int | None = None
    """The camera's own number of this frame, as it came (it may wrap); None where there is none."""
    device_time_ns: int | None = None
    """The camera's own clock, if it has one that runs; its zero is the camera's affair."""
    device_clock: str = ""
    """What `device_time_ns` counts: ptp, free (since power-on), monotonic (this computer's), rtcp; or ""."""
    trigger_count: int | None = None
    """How many pulses the camera's input had had at this exposure, by its own counter; None where it tells none."""
    skipped_before: int = 0
    """Frames between the one before and this that were passed over because nobody took them: no loss, and no part."""
    source: str = ""
    """Where the picture is from, for people: a file name, a serial number."""
    is_simulated: bool = False
    """No real part was in front of a real lens (virtual camera, pictures from a folder)."""
    truth: dict[str, Any] = field(default_factory=dict)
    """What was drawn (label, where, how large); empty for real cameras. Never read by inspection."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels; (0, 0) without pixels."""
        return (0, 0) if self.pixels is None else (self.pixels.shape[0], self.pixels.shape[1])
