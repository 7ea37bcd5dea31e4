"""What every driver promises: order of calls, threads, timeouts, errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from camera.frame import Frame

UNASKED: Final = "unasked"
"""The name, among a driver's counters, of pictures that came without a trigger and that it did not hand out."""


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """Who the camera is, for people and for records."""

    driver: str
    model: str
    serial: str
    is_simulated: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    """What was applied and read back, in that order: for the records."""
    notes: tuple[str, ...] = ()
    """Sentences on what is not as it should be, and does not forbid to run (a small socket buffer)."""


@runtime_checkable
class Camera(Protocol):
    """A source of exposures.

    Order: open, start, (trigger and read | read)..., stop, close; after close it may be opened again.
    Threads: one thread makes all the calls, except close(), which any thread may call at any time and which
    ends a blocked read() with CameraLost.
    Nothing blocks longer than it says. No object of a vendor's library leaves the driver.
    """

    @property
    def info(self) -> CameraInfo:
        """Known after open(). Raises RuntimeError before it."""

    @property
    def triggers_itself(self) -> bool:
        """True: frames come without trigger() (free-running, or triggered by hardware)."""

    def open(self) -> None:
        """Reach the camera and apply its settings; at most a few seconds.

        Raises: CameraConfigError, CameraNotFound, CameraInUse.
        """

    def start(self) -> None:
        """Begin to acquire; the frames' sequence starts again at 0. Raises: CameraLost."""

    def trigger(self) -> None:
        """Expose one frame now and return at once, before the frame is there.

        Raises: TriggerNotReady (the part was not photographed), CameraLost, EndOfPictures,
        RuntimeError where the camera triggers itself.
        """

    def read(self, timeout_s: float) -> Frame:
        """The next frame, in order, waiting at most `timeout_s` seconds.

        A frame that arrived damaged is returned with its status, not raised. Frames are handed out as they were
        exposed, each once; a camera that takes the newest only (config.takes_newest) gives that one, and says in
        `skipped_before` how many it passed over. A software trigger is answered by a frame that was exposed after it.
        Raises: CameraTimeout (nothing came; reading may go on), CameraLost (close and open again),
        EndOfPictures.
        """

    def idle(self) -> None:
        """Nothing is asked at the moment: do what would hold up the next read(). Milliseconds. Raises: CameraLost."""

    def counters(self) -> Mapping[str, int]:
        """What the driver has counted since open(), by its own words: lost packets, resends, underruns, reconnects.

        Cheap, and asked about once a second, between two pictures. Empty where it counts nothing.
        Raises: CameraLost, where it is known to be gone: an idle line learns of a pulled cable here.
        """

    def stop(self) -> None:
        """End acquiring; frames not yet read are dropped. Does nothing where it was not started."""

    def close(self) -> None:
        """Let go of the camera. May be called twice, and from another thread."""
