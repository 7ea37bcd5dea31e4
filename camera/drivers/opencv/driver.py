"""A Camera around an OpenCV capture that is read all the time, so that its pictures have their true age."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import cv2

from camera.config import OpencvConfig
from camera.drain import Drain
from camera.drivers.opencv.capture import Capture
from camera.drivers.opencv.dating import Arrival, Dated, Dating
from camera.drivers.opencv.network import open_network
from camera.drivers.opencv.v4l2 import open_v4l2
from camera.errors import CameraLost, CameraNotFound, CameraTimeout, TriggerNotReady
from camera.frame import Frame, FrameStatus, PixelFormat
from camera.protocol import CameraInfo

_NS: Final = 1_000_000_000
_ROOM: Final = 8
"""Pictures that wait for a slow reader, where every one is a part."""
_CLOSE_S: Final = 0.5
_SELECT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """One picture for the reader."""

    frame: Frame
    lost_ever: int
    """Exposures since start() that never arrived, up to this one."""
    run: int
    """Counts start(): the thread may still have had one in its hands at stop()."""


class OpencvCamera:
    """RTSP, MJPEG over HTTP and V4L2 cameras; see camera.protocol.

    A thread of its own reads from open() to close(), also where nobody takes anything, for OpenCV and FFmpeg give the
    oldest picture first. What becomes of a picture: with trigger = "software" it is kept where it is the first one
    exposed after a trigger; with "free" the newest is kept, or every one (8 of them). The rest is passed over.
    Stale pictures: with frames = "every" each is a part and comes with FrameStatus.STALE; otherwise they are passed
    over and counted, and where nothing else comes for read_timeout_s the camera is lost, and opened anew.
    """

    def __init__(self, config: OpencvConfig) -> None:
        self._config = config
        self._lock = threading.Lock()  # guards the pending trigger, what is counted, and _is_started
        self._is_started = False
        self._run = 0
        self._pending: tuple[int, int] | None = None  # (trigger's sequence, CLOCK_MONOTONIC)
        self._triggers = 0
        self._sequence = 0
        self._lost = 0
        self._given: _Kept | None = None
        self._epoch = 0
        self._stale = 0
        self._good_ns = 0
        self._position_ns: int | None = None
        self._capture: Capture | None = None
        self._drain: Drain[_Kept] | None = None
        self._is_edge_telling = True

    @property
    def info(self) -> CameraInfo:
        if self._capture is None:
            raise RuntimeError("the camera's info is known after open()")
        return self._capture.source.info

    @property
    def triggers_itself(self) -> bool:
        return self._config.triggers_itself

    def open(self) -> None:
        if self._drain is not None and not self._drain.is_over:
            raise RuntimeError("open() on a camera that is open")
        # What OpenCV says on its own is for programmers, and addresses may stand in it.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        is_device = self._config.url.startswith("/dev/")
        if self._drain is not None and is_device:
            self._drain.join(self._config.read_timeout_s + _SELECT_S)  # a device is had by one at a time
        capture = open_v4l2(self._config) if is_device else open_network(self._config)
        try:
            dating = self._first_picture(capture)
        except BaseException:
            capture.release()
            raise
        with self._lock:
            before, self._capture = self._capture, capture
            self._is_started = False
        if before is not None and before.is_size_in_doubt and before.source.size == capture.source.size:
            self._is_edge_telling = False  # it was for nothing: the edge is black, or no sensor's
        capture.watches_edge = capture.source.may_change_size and self._is_edge_telling
        self._epoch += 1
        self._stale = 0
        self._good_ns = time.monotonic_ns()
        room = 1 if self._config.takes_newest else _ROOM
        take = partial(self._take, capture, dating)
        self._drain = Drain(take, room=room, ended=capture.release, name="opencv")
        self._drain.start()

    def start(self) -> None:
        drain = self._opened()
        with self._lock:
            if self._is_started:
                raise RuntimeError("start() on a camera that was started")
            drain.drop()
            self._is_started = True
            self._run += 1
            self._pending, self._triggers, self._sequence, self._lost = None, 0, 0, 0
            self._given = self._position_ns = None

    def trigger(self) -> None:
        self._opened()
        with self._lock:
            self._check_started_locked()
            if self.triggers_itself:
                raise RuntimeError("trigger() on a camera that triggers itself")
            if self._pending is not None:
                raise TriggerNotReady("the picture for the trigger before has not come yet")
            self._pending = (self._triggers, time.monotonic_ns())
            self._triggers += 1

    def read(self, timeout_s: float) -> Frame:
        drain = self._opened()
        with self._lock:
            self._check_started_locked()
        dead_s = (self._good_ns - time.monotonic_ns()) / _NS + self._config.read_timeout_s
        try:
            taken = drain.next(max(0.0, min(timeout_s, dead_s)))
        except CameraTimeout:
            self._check_alive()
            raise CameraTimeout(f"no frame within {timeout_s:g} s") from None
        return self._give(taken.item) if taken.item.run == self._run else self.read(timeout_s)

    def idle(self) -> None:
        """Its thread does it unasked. Raises: CameraLost where nothing comes any more."""
        self._opened()
        self._check_alive()

    def counters(self) -> Mapping[str, int]:
        """stale: pictures that came too late to be judged; passed_over: those for which a slow reader left no room.

        Raises: CameraLost where nothing comes any more, so that it is known before the next part.
        """
        drain = self._drain
        if drain is None:
            return {}
        drain.check()
        self._check_alive()
        return {"stale": self._stale, "passed_over": drain.passed_over}

    def stop(self) -> None:
        with self._lock:
            self._is_started = False
        if self._drain is not None:
            self._drain.drop()

    def close(self) -> None:
        """A capture that waits for a silent camera is let go of by its own thread, when OpenCV gives up."""
        drain = self._drain
        if drain is not None:
            drain.end()
            drain.join(_CLOSE_S)

    def _opened(self) -> Drain[_Kept]:
        """Raises: RuntimeError before open(), CameraLost after close() and where the source failed."""
        if self._drain is None:
            raise RuntimeError("the camera is used before open()")
        self._drain.check()
        return self._drain

    def _check_started_locked(self) -> None:
        if not self._is_started:
            raise RuntimeError("the camera is used before start()")

    def _check_alive(self) -> None:
        """Nothing that may be judged has come for long: lost, also where OpenCV still waits. Raises: CameraLost."""
        silent_s = (time.monotonic_ns() - self._good_ns) / _NS
        if self._drain is None or silent_s < self._config.read_timeout_s:
            return
        self._drain.end()
        raise CameraLost(
            f"{self._config.url} gave no fresh picture for {self._config.read_timeout_s:g} s "
            f"({self._stale} came and were stale)"
        )

    def _first_picture(self, capture: Capture) -> Dating:
        """Read until pictures come as they are exposed. Raises: CameraNotFound, and what a Capture raises."""
        source = capture.source
        dating = Dating(
            clock=source.clock,
            latency_ns=round(source.latency_s * _NS),
            stale_after_ns=round(self._config.stale_after_s * _NS),
        )
        deadline = time.monotonic() + self._config.open_timeout_s
        try:
            while time.monotonic() < deadline:
                dating.date(capture.grab(self._config.open_timeout_s))
                if dating.is_settled:
                    capture.pixels()
                    return dating
        except CameraLost as error:
            raise CameraNotFound(f"{error}, before its first picture") from error
        raise CameraNotFound(
            f"{self._config.url} gives pictures, but for {self._config.open_timeout_s:g} s they came late: this "
            "computer does not decode them as fast as they come"
        )

    def _take(self, capture: Capture, dating: Dating) -> _Kept | None:
        """On the drain's thread: one picture, for the reader or for nobody."""
        arrival = capture.grab(self._config.read_timeout_s)
        dated = dating.date(arrival)
        with self._lock:
            if capture is not self._capture:
                return None  # closed and opened again while this one waited
            if dated.doubt:
                self._stale += 1
            else:
                self._good_ns = arrival.received_ns
            if not self._is_started:
                return None
            numbers = self._number_locked(arrival, dated)
            lost, run = self._lost, self._run
        return None if numbers is None else _Kept(self._frame(capture, arrival, dated, numbers), lost, run)

    def _number_locked(self, arrival: Arrival, dated: Dated) -> tuple[int, int | None] | None:
        """(sequence, the trigger's sequence); None: nobody wants it."""
        if self.triggers_itself:
            sequence = self._count_locked(arrival)
            return None if dated.doubt and self._config.takes_newest else (sequence, None)
        if self._pending is None or dated.doubt or dated.exposed_ns < self._pending[1]:
            return None
        trigger_sequence, self._pending = self._pending[0], None
        self._sequence += 1
        return self._sequence - 1, trigger_sequence

    def _count_locked(self, arrival: Arrival) -> int:
        """This exposure's number; missing ones are seen where the rate is known and the sender tells the time."""
        before, self._position_ns = self._position_ns, arrival.device_time_ns
        if before is not None and arrival.device_time_ns is not None and self._config.frame_rate_hz is not None:
            missing = round((arrival.device_time_ns - before) / _NS * self._config.frame_rate_hz) - 1
            self._lost += max(0, missing)
            self._sequence += max(0, missing)
        self._sequence += 1
        return self._sequence - 1

    def _frame(self, capture: Capture, arrival: Arrival, dated: Dated, numbers: tuple[int, int | None]) -> Frame:
        sequence, trigger_sequence = numbers
        device_time_ns, device_clock = capture.device_clock() or (None, "")
        pixels = capture.pixels()
        if pixels is None:
            status, detail = FrameStatus.CORRUPT, "the picture cannot be decoded"
        else:
            pixels.setflags(write=False)
            status, detail = (FrameStatus.STALE, dated.doubt) if dated.doubt else (FrameStatus.OK, "")
        return Frame(
            pixels=pixels,
            pixel_format=PixelFormat(self._config.pixel_format),
            sequence=sequence,
            epoch=self._epoch,
            exposed_ns=dated.exposed_ns,
            exposed_utc_ns=time.time_ns() - time.monotonic_ns() + dated.exposed_ns,
            status=status,
            detail=detail,
            trigger_sequence=trigger_sequence,
            received_ns=arrival.received_ns,
            device_time_ns=device_time_ns,
            device_clock=device_clock,
            source=capture.source.info.serial,
        )

    def _give(self, kept: _Kept) -> Frame:
        """Say how many were passed over, where that is no loss."""
        before, self._given = self._given, kept
        if not self._config.takes_newest:
            return kept.frame
        last = -1 if before is None else before.frame.sequence
        lost = kept.lost_ever - (0 if before is None else before.lost_ever)
        return replace(kept.frame, skipped_before=kept.frame.sequence - last - 1 - lost)
