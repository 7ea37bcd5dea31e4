"""The camera itself: the library's InstantCamera, used as camera.protocol says."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any, Final

from camera.callorder import CallOrder
from camera.config import PylonConfig
from camera.drain import Drain
from camera.drivers.pylon.access import NodeMapAccess
from camera.drivers.pylon.delivery import Delivery, Source
from camera.drivers.pylon.finding import all_candidates, attach, choose
from camera.drivers.pylon.library import genicam_error, load_pylon, said
from camera.drivers.pylon.pixels import Unpacking
from camera.drivers.pylon.setup import counter_chunk, set_up
from camera.errors import CameraConfigError, CameraLost, CameraTimeout, TriggerNotReady
from camera.features import FeatureRefused
from camera.frame import Frame
from camera.protocol import CameraInfo

_SLICE_MS: Final = 200
_HANGS_NS: Final = 3_000_000_000
"""The library has not come back for so long from a call that lasts _SLICE_MS."""
_LOOK_S: Final = 0.5
_JOIN_S: Final = 1.5
_COUNTED: Final = (
    "Total_Buffer_Count",
    "Failed_Buffer_Count",
    "Buffer_Underrun_Count",
    "Failed_Packet_Count",
    "Resend_Request_Count",
    "Resend_Packet_Count",
)


class PylonCamera:
    """A Camera (see camera.protocol) of Basler's, or of pylon's emulator (environment variable PYLON_CAMEMU).

    A thread of its own takes each picture out of the library at once, so `received_ns` is when it came, and the
    library's buffers never run out because the station is busy; `buffers_frames` wait here instead.
    Cost: 0.25 ms a frame at 1920 x 1200 for the one copy out of the library's buffer.
    """

    def __init__(self, config: PylonConfig) -> None:
        self._config = config
        self._order = CallOrder()
        self._changing = threading.Lock()  # held by what opens, starts, stops or closes
        self._pylon: ModuleType | None = None
        self._camera: Any = None
        self._info: CameraInfo | None = None
        self._epoch = 0
        self._is_emulated = False
        self._drain: Drain[Frame] | None = None
        self._delivery: Delivery | None = None
        self._answered_ns = 0
        self._came_ns = 0
        self._waits_for_frame = False
        self._can_say_ready = False

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
            pylon = self._pylon = load_pylon()
            candidate = choose(all_candidates(pylon), self._config.device)
            camera = attach(pylon, candidate)
            try:
                device = NodeMapAccess(camera.GetNodeMap())
                applied = set_up(self._config, device)
                Unpacking(str(device.read("PixelFormat")))
                camera.MaxNumBuffer.SetValue(self._config.buffers_frames)
                self._can_say_ready = bool(camera.CanWaitForFrameTriggerReady())
            except (FeatureRefused, genicam_error()) as error:
                camera.DestroyDevice()
                raise CameraConfigError(f"Basler camera {candidate.serial} cannot be set up: {said(error)}") from error
            except CameraConfigError:
                camera.DestroyDevice()
                raise
            self._camera = camera
            self._is_emulated = candidate.is_emulated
            model = candidate.model or "Basler camera"
            serial = candidate.serial or candidate.full_name
            self._info = CameraInfo("pylon", model, serial, candidate.is_emulated, applied, self._notes())
            self._epoch += 1
            self._order.opened()

    def start(self) -> None:
        with self._changing:
            self._order.starting()
            pylon, camera = self._pylon, self._camera
            assert pylon is not None
            self._delivery = Delivery(self._source(), is_triggered_here=not self.triggers_itself)
            self._waits_for_frame = False
            self._answered_ns = self._came_ns = time.monotonic_ns()
            self._asked(lambda: camera.StartGrabbing(pylon.GrabStrategy_OneByOne, pylon.GrabLoop_ProvidedByUser))
            if not self.triggers_itself and self._can_say_ready:
                self._asked(lambda: camera.WaitForFrameTriggerReady(1000, pylon.TimeoutHandling_Return))
            room = 1 if self._config.takes_newest else self._config.buffers_frames
            self._drain = Drain(self._take, room=room, name="pylon")
            self._drain.start()
            self._order.started()

    def trigger(self) -> None:
        self._order.check()
        if self.triggers_itself:
            raise RuntimeError("trigger() on a camera that triggers itself")
        pylon, camera, delivery = self._pylon, self._camera, self._delivery
        assert pylon is not None
        assert delivery is not None
        if not self._can_say_ready:
            if self._waits_for_frame:
                raise TriggerNotReady(
                    "the picture of the trigger before is not here yet, and this camera tells no more"
                )
        elif not self._asked(lambda: camera.WaitForFrameTriggerReady(0, pylon.TimeoutHandling_Return)):
            raise TriggerNotReady("the exposure before is not read out (FrameTriggerWait)")
        self._waits_for_frame = True
        delivery.triggered(time.monotonic_ns())
        self._asked(camera.ExecuteSoftwareTrigger)

    def read(self, timeout_s: float) -> Frame:
        self._order.check()
        drain = self._drain
        assert drain is not None
        until = time.monotonic() + timeout_s
        while True:
            left_s = max(0.0, until - time.monotonic())
            try:
                taken = drain.next(min(_LOOK_S, left_s))
            except CameraTimeout as timeout:
                self._look_for_camera()
                if left_s <= _LOOK_S:
                    self._waits_for_frame = False
                    raise CameraTimeout(f"no frame within {timeout_s:g} s") from timeout
                continue
            self._waits_for_frame = False
            if self._config.takes_newest and taken.passed_over:
                return replace(taken.item, skipped_before=taken.passed_over)
            return taken.item

    def idle(self) -> None:
        """Its thread does what there is to do."""

    def counters(self) -> Mapping[str, int]:
        with self._changing:
            self._order.check(started=False)
            counted = {} if self._drain is None else {"not_taken_in_time": self._drain.passed_over}
            statistics = NodeMapAccess(self._camera.GetStreamGrabberNodeMap())
            for name in _COUNTED:
                if statistics.has(f"Statistic_{name}"):
                    value = statistics.read(f"Statistic_{name}")
                    counted[name.lower().removesuffix("_count") + "s"] = int(value)
            return counted

    def stop(self) -> None:
        with self._changing:
            if self._order.is_started:
                self._order.stopped()
                self._end_grabbing()

    def close(self) -> None:
        if self._drain is not None:
            self._drain.end()  # a read() that waits ends now, whatever the library does
        with self._changing:
            if not self._order.closed():
                return
            try:
                self._end_grabbing()
                self._camera.Close()
                self._camera.DestroyDevice()
            except genicam_error():
                pass  # it is gone already
            finally:
                self._camera = None

    def _end_grabbing(self) -> None:
        drain, self._drain = self._drain, None
        if drain is None:
            return
        drain.end()
        try:
            self._camera.StopGrabbing()  # ends the drain's RetrieveResult()
        except genicam_error():
            pass  # what is gone has stopped
        drain.join(_JOIN_S)

    def _take(self) -> Frame | None:
        """The next picture; on the drain's thread. Raises: CameraLost."""
        pylon, camera, delivery = self._pylon, self._camera, self._delivery
        assert pylon is not None
        assert delivery is not None
        try:
            with camera.RetrieveResult(_SLICE_MS, pylon.TimeoutHandling_Return) as result:
                self._answered_ns = now_ns = time.monotonic_ns()
                if result.IsValid():
                    self._came_ns = now_ns
                    return delivery.frame(result, now_ns)
            if not camera.IsGrabbing():
                raise CameraLost(f"{self._called} stopped by itself")
        except genicam_error() as error:
            raise CameraLost(f"{self._called} does not answer any more: {said(error)}") from error
        return None

    def _look_for_camera(self) -> None:
        """Raises: CameraLost where it is gone, or gives nothing although it runs free."""
        now_ns = time.monotonic_ns()
        if self._camera is not None and self._asked(self._camera.IsCameraDeviceRemoved):
            raise CameraLost(f"{self._called} is gone: its cable, its power or its network")
        if now_ns - self._answered_ns > _HANGS_NS:
            raise CameraLost(f"pylon does not come back from looking for a frame of {self._called}")
        limit_s = self._config.lost_after_s
        if limit_s is not None and now_ns - self._came_ns > limit_s * 1e9:
            raise CameraLost(f"{self._called} runs free and has given no frame for {limit_s:g} s")

    def _asked(self, call: Callable[[], Any]) -> Any:
        """What the library answers. Raises: CameraLost."""
        try:
            return call()
        except (AttributeError, genicam_error()) as error:
            if not self._order.is_open:
                raise CameraLost("the camera was closed") from error
            if isinstance(error, AttributeError):
                raise
            raise CameraLost(f"{self._called} does not answer any more: {said(error)}") from error

    @property
    def _called(self) -> str:
        return f"Basler camera {self._info.serial}" if self._info else "the Basler camera"

    def _notes(self) -> tuple[str, ...]:
        if self._config.trigger == "software" and not self._can_say_ready:
            return (
                "the camera does not say when it is ready for a trigger: one waits for the picture of the one before",
            )
        return ()

    def _source(self) -> Source:
        """Asked of the camera at start(), for settings may have been changed. Raises: CameraLost."""
        device = NodeMapAccess(self._camera.GetNodeMap())

        def number(*names: str) -> float | None:
            for name in names:
                if device.has(name):
                    return float(device.read(name))
            return None

        try:
            extended = device.has("GevGVSPExtendedIDMode") and device.read("GevGVSPExtendedIDMode") == "On"
            is_short = bool(self._camera.IsGigE()) and not extended
            is_ptp = bool(number("PtpEnable", "GevIEEE1588"))
            delay_us = number("TriggerDelay", "TriggerDelayAbs") or 0.0
            exposure_us = number("ExposureTime", "ExposureTimeAbs") or 0.0
            return Source(
                unpacking=Unpacking(str(device.read("PixelFormat"))),
                epoch=self._epoch,
                is_emulated=self._is_emulated,
                serial=self.info.serial,
                id_bits=16 if is_short else 64,
                ticks_per_s=int(number("GevTimestampTickFrequency") or 1_000_000_000),
                clock="ptp" if is_ptp else "free",
                exposure_ns=round((delay_us + exposure_us) * 1000),
                counter=self._counter(device),
            )
        except FeatureRefused as error:
            raise CameraLost(f"{self._called} does not answer any more: {error}") from error

    def _counter(self, device: NodeMapAccess) -> Callable[[Any], int | None] | None:
        """Tells the pulses of the camera's input at a result; it runs on the drain's thread."""
        if self._config.counter == "register":
            return lambda _: int(device.read("CounterValue"))
        chunk = counter_chunk(device) if self._config.counter == "chunk" else None
        if chunk is None:
            return None

        def told(result: Any) -> int | None:
            return int(result.GetChunkNode(chunk).GetValue()) if result.IsChunkDataAvailable() else None

        return told
