"""The camera itself: the pictures of a pipeline, dated and numbered."""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from camera.callorder import CallOrder
from camera.clockmap import ClockMap
from camera.config import GstreamerConfig
from camera.drain import Drain
from camera.drivers.gstreamer.gdp import Picture
from camera.drivers.gstreamer.numbering import Numbering
from camera.drivers.gstreamer.pipeline import Pipeline, row_bytes
from camera.errors import CameraLost, TriggerNotReady
from camera.frame import Frame, PixelFormat
from camera.protocol import CameraInfo

_FIRST_S: Final = 10.0
"""A pipeline's first picture: sensors need one or two seconds, GStreamer's first run on a computer some more."""
_SLICE_S: Final = 0.2
_WAITING_MAX: Final = 8
"""Pictures that wait for a slow reader where every one is wanted."""
_JOIN_S: Final = 1.0


class GstreamerCamera:
    """A Camera (see camera.protocol) that is a pipeline in a child process, from open() to close().

    It runs all the time. A software trigger therefore means: the first picture that was taken after it. When it was
    taken, the pipeline's clock says (a picture that waited in a queue is as old as it is); what the quickest picture
    needs from the lens to here, only a person with a clock before the lens can tell (`latency_ms`).
    Not tried on hardware: CSI cameras of a Jetson (nvarguscamerasrc). Tried: videotestsrc.
    Cost: 4 % of a core at 1920 x 1200 x 60 Hz here, beside the pipeline's own process.
    """

    def __init__(self, config: GstreamerConfig) -> None:
        self._config = config
        self._order = CallOrder()
        self._changing = threading.Lock()  # held by what opens, starts, stops or closes
        self._asking = threading.Lock()  # guards the two below, which the drain's thread answers
        self._asked: tuple[int, int] | None = None
        self._triggers = 0
        self._info: CameraInfo | None = None
        self._epoch = 0
        self._pipeline: Pipeline | None = None
        self._drain: Drain[Frame] | None = None
        self._clock = ClockMap(latency_ns=round(config.latency_ms * 1e6))
        self._numbering = Numbering(config.frame_rate_hz)
        self._started_ns = 0
        self._came_ns = 0
        self._pictures = 0

    @property
    def info(self) -> CameraInfo:
        if self._info is None:
            raise RuntimeError("the camera's info is known after open()")
        return self._info

    @property
    def triggers_itself(self) -> bool:
        return self._config.triggers_itself

    def open(self) -> None:
        with self._changing:
            self._order.opening()
            pipeline = Pipeline(self._config)
            try:
                self._clock.reset()
                self._taken_ns(pipeline.first(_FIRST_S), time.monotonic_ns())
            except BaseException:
                pipeline.end()
                raise
            self._pipeline = pipeline
            config = self._config
            model = f"GStreamer {config.source.split()[0]}, {config.width_px} x {config.height_px}"
            # No pipeline tells a serial number: what it begins with is who it is.
            is_simulated = config.source.lstrip().startswith("videotestsrc")
            self._info = CameraInfo("gstreamer", model, config.source, is_simulated, (("source", config.source),))
            self._epoch += 1
            self._pictures = 0
            self._order.opened()

    def start(self) -> None:
        with self._changing:
            self._order.starting()
            self._numbering.restart()
            self._started_ns = self._came_ns = time.monotonic_ns()
            self._asked, self._triggers = None, 0
            self._drain = Drain(self._take, room=1 if self._config.takes_newest else _WAITING_MAX, name="gstreamer")
            self._drain.start()
            self._order.started()

    def trigger(self) -> None:
        self._order.check()
        if self.triggers_itself:
            raise RuntimeError("trigger() on a camera that triggers itself")
        if self._drain is not None and self._drain.is_over:
            raise CameraLost("the GStreamer pipeline has ended")
        with self._asking:
            if self._asked is not None:
                raise TriggerNotReady("the picture of the trigger before is not taken yet")
            self._asked = (self._triggers, time.monotonic_ns())
            self._triggers += 1

    def read(self, timeout_s: float) -> Frame:
        self._order.check()
        drain = self._drain
        if drain is None:
            raise CameraLost("the camera was closed")
        taken = drain.next(timeout_s)
        if self._config.takes_newest and taken.passed_over:
            return replace(taken.item, skipped_before=taken.passed_over)
        return taken.item

    def idle(self) -> None:
        """Its thread does what there is to do."""

    def counters(self) -> Mapping[str, int]:
        drain = self._drain
        passed_over = 0 if drain is None else drain.passed_over
        return {"pictures": self._pictures, "not_taken_in_time": passed_over, "lost": self._numbering.lost}

    def stop(self) -> None:
        with self._changing:
            self._order.stopped()
            self._end_drain()

    def close(self) -> None:
        if (drain := self._drain) is not None:
            drain.end()  # a read() that waits ends now
        with self._changing:
            if self._order.closed():
                self._end_drain()
                pipeline, self._pipeline = self._pipeline, None
                if pipeline is not None:
                    pipeline.end()

    def _end_drain(self) -> None:
        drain, self._drain = self._drain, None
        if drain is not None:
            drain.end()
            drain.join(_JOIN_S)

    def _take(self) -> Frame | None:
        """A frame for who reads, where one came; on the drain's thread. Raises: CameraLost."""
        pipeline = self._pipeline
        if pipeline is None:
            raise CameraLost("the camera was closed")
        picture = pipeline.next(_SLICE_S)
        now_ns = time.monotonic_ns()
        if picture is None:
            if now_ns - self._came_ns > self._config.read_timeout_s * 1e9:
                raise CameraLost(f"the GStreamer pipeline has given no picture for {self._config.read_timeout_s:g} s")
            return None
        self._came_ns = now_ns
        self._pictures += 1
        taken_ns = self._taken_ns(picture, now_ns)
        if taken_ns < self._started_ns:
            return None  # it waited since before start()
        sequence = self._numbering.next(picture.offset, taken_ns)
        if self.triggers_itself:
            return self._frame(picture, sequence, None, taken_ns, now_ns)
        number = self._answered(taken_ns)
        return None if number is None else self._frame(picture, number, number, taken_ns, now_ns)

    def _answered(self, taken_ns: int) -> int | None:
        """The trigger that a picture of that moment answers."""
        with self._asking:
            if self._asked is None or taken_ns < self._asked[1]:
                return None
            (number, _), self._asked = self._asked, None
            return number

    def _taken_ns(self, picture: Picture, received_ns: int) -> int:
        if picture.pts_ns is None:
            return received_ns - round(self._config.latency_ms * 1e6)
        return self._clock.exposed_ns(picture.pts_ns, received_ns)

    def _frame(self, picture: Picture, sequence: int, trigger: int | None, taken_ns: int, received_ns: int) -> Frame:
        return Frame(
            pixels=self._pixels(picture),
            pixel_format=PixelFormat(self._config.pixel_format),
            sequence=sequence,
            epoch=self._epoch,
            exposed_ns=taken_ns,
            exposed_utc_ns=time.time_ns() - time.monotonic_ns() + taken_ns,
            trigger_sequence=trigger,
            received_ns=received_ns,
            device_frame_id=picture.offset,
            device_time_ns=picture.pts_ns,
            device_clock="" if picture.pts_ns is None else "free",
            source=self.info.serial,
            is_simulated=self.info.is_simulated,
        )

    def _pixels(self, picture: Picture) -> npt.NDArray[np.uint8]:
        """The picture's own bytes, which nobody else has."""
        config = self._config
        channels = 1 if config.pixel_format == "Mono8" else 3
        rows = np.frombuffer(picture.data, np.uint8).reshape(config.height_px, row_bytes(config))
        rows = rows[:, : config.width_px * channels]
        pixels = rows if channels == 1 else rows.reshape(config.height_px, config.width_px, 3)
        pixels.setflags(write=False)
        return pixels
