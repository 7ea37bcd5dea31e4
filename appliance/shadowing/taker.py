"""The examiner's side: frames of the line as it judged them, one after the other."""

import mmap
import os
import secrets
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from appliance.errors import ApplianceError
from appliance.shadowing.wire import DATAGRAM_MAX, HELLO, Sighting, back_to_bytes
from camera.frame import Frame, PixelFormat


class FeedEnded(ApplianceError):
    """The line, or its delivery process, is gone: no more frames will come."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One part as the line judged it."""

    frame: Frame
    """Its pixels lie in shared memory, read-only, until `Taker.done`: copy what is kept longer. Without `truth`."""
    recipe: str
    camera: str
    evaluation: str
    """OK, NotOK, NotDecidable or Undefined, as in the part's result."""
    classes: Sequence[tuple[str, float, str | None]]
    """Label, score, region (None where there is but one); highest score first."""
    inference_ms: float | None
    """The serving model's call."""
    model: str
    version: int
    """The serving model's."""
    trigger_id: int
    slot: int
    """The taker's own affair."""


class Taker:
    """One examiner's end of the feed. One thread. Making it tells the line that somebody takes frames from now on."""

    def __init__(self, memory_fd: int, socket_fd: int) -> None:
        """Takes over both descriptors. Frames that were meant for an examiner before are passed over.

        Raises: FeedEnded.
        """
        self._memory_fd = memory_fd
        self._memory: mmap.mmap | None = None
        self._socket = socket.socket(fileno=socket_fd)
        self._epoch = secrets.randbits(32)
        self._say(HELLO)

    def next(self, timeout_s: float) -> Observed | None:
        """The next frame; None where none came in time. Hold few: the line has four slots. Raises: FeedEnded."""
        limit = time.monotonic() + timeout_s
        while (left_s := limit - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                raw = self._socket.recv(DATAGRAM_MAX)
            except TimeoutError:
                return None
            except OSError as error:
                raise FeedEnded(f"The line's frames end here: {error.strerror}.") from error
            if not raw:
                raise FeedEnded("The line's frames end here: the line is gone.")
            sighting = Sighting.from_bytes(raw)
            if sighting.epoch == self._epoch:
                return self._observed(sighting)
        return None

    def done(self, observed: Observed) -> None:
        """Give the slot back; the frame's pixels are another's from now on. Raises: FeedEnded."""
        self._say(observed.slot)

    def close(self) -> None:
        """Let go of everything. Frames that are still held keep the memory mapped."""
        self._socket.close()
        os.close(self._memory_fd)
        if self._memory is not None:
            with suppress(BufferError):  # somebody still has pixels in it
                self._memory.close()

    def _say(self, slot: int) -> None:
        try:
            self._socket.settimeout(1.0)
            self._socket.send(back_to_bytes(self._epoch, slot))
        except OSError as error:
            raise FeedEnded(f"The line's frames end here: {error.strerror or error}.") from error

    def _observed(self, sighting: Sighting) -> Observed:
        shape = tuple(sighting.shape)
        end = sighting.offset + int(np.prod(shape))
        if self._memory is None or end > len(self._memory):
            size = os.fstat(self._memory_fd).st_size
            self._memory = mmap.mmap(self._memory_fd, size, prot=mmap.PROT_READ)
        frame = Frame(
            pixels=np.ndarray(shape, np.uint8, self._memory, sighting.offset),
            pixel_format=PixelFormat(sighting.pixel_format),
            sequence=sighting.sequence,
            epoch=0,
            exposed_ns=sighting.exposed_ns,
            exposed_utc_ns=sighting.exposed_utc_ns,
            is_simulated=sighting.is_simulated,
        )
        return Observed(
            frame=frame,
            recipe=sighting.recipe,
            camera=sighting.camera,
            evaluation=sighting.evaluation,
            classes=[(label, score, region) for label, score, region in sighting.classes],
            inference_ms=sighting.inference_ms,
            model=sighting.model,
            version=sighting.version,
            trigger_id=sighting.trigger_id,
            slot=sighting.slot,
        )
