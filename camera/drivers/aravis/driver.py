"""The driver: what camera.protocol asks for, in terms of a device and its stream."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from camera.callorder import CallOrder
from camera.config import AravisConfig
from camera.drivers.aravis.delivery import SPARE_S, Delivery, Source
from camera.drivers.aravis.device import Device, open_device
from camera.drivers.aravis.gvcp import Gone
from camera.drivers.aravis.library import AravisError, Library, library
from camera.drivers.aravis.network import buffer_note, set_packet_size
from camera.drivers.aravis.setup import can_say_ready, device_clock, exposure_s, layout_of, set_up
from camera.drivers.aravis.stream import Stream
from camera.errors import CameraLost, CameraNotFound, CameraTimeout, TriggerNotReady
from camera.features import FeatureRefused
from camera.frame import Frame
from camera.protocol import CameraInfo

_SLICE_S: Final = 0.05
"""So often a read() that waits looks whether the camera is there, and whether it was closed."""


class AravisCamera:
    """A GigE Vision or USB3 Vision camera.

    Its threads are libaravis' own: one receives the packets, one tells a GigE camera once a second that it is still
    controlled. Threads: see camera.protocol. Cost of read(): one copy of the picture (0.2 ms for 2.3 MB).
    """

    def __init__(self, config: AravisConfig) -> None:
        self._config = config
        self._order = CallOrder()
        self._using = threading.Lock()  # guards the three below against close() and counters()
        self._device: Device | None = None
        self._stream: Stream | None = None
        self._delivery: Delivery | None = None
        self._is_ready_known = False
        self._info: CameraInfo | None = None
        self._epoch = -1
        self._counted: Counter[str] = Counter()

    @property
    def info(self) -> CameraInfo:
        if self._info is None:
            raise RuntimeError("the camera's info is known after open()")
        return self._info

    @property
    def triggers_itself(self) -> bool:
        return self._config.triggers_itself

    def open(self) -> None:
        self._order.opening()
        loaded = library()
        device = open_device(loaded, self._config.device)
        try:
            self._info = self._set_up(loaded, device)
        except (AravisError, CameraLost, FeatureRefused) as error:
            device.let_go()
            raise CameraNotFound(f"the camera stopped answering while it was set up: {error}") from error
        except BaseException:
            device.let_go()
            raise
        self._device = device
        self._epoch += 1
        self._counted.clear()
        self._order.opened()

    def start(self) -> None:
        self._order.starting()
        with self._using:
            device = self._reached()
            device.ask_whether_alive()
            try:
                self._delivery = Delivery(self._source(device))
                has_chunk = self._config.counter == "chunk"
                self._stream = Stream(library(), device, self._config, has_counter_chunk=has_chunk)
                device.features.execute("AcquisitionStart")
            except (AravisError, FeatureRefused) as error:
                raise CameraLost(f"the camera does not begin to acquire: {error}") from error
            device.heart.felt()
        self._order.started()

    def trigger(self) -> None:
        self._order.check()
        if self.triggers_itself:
            raise RuntimeError("trigger() on a camera that triggers itself")
        with self._using:
            device, _, delivery = self._acquiring()
            if delivery.triggers.waits(time.monotonic_ns()):
                raise TriggerNotReady("the picture of the trigger before is not here yet")
            device.ask_whether_alive()
            try:
                if self._is_ready_known and not device.features.read("AcquisitionStatus"):
                    raise TriggerNotReady("the camera says that it is not ready for a trigger")
                fired_ns = time.monotonic_ns()
                device.features.execute("TriggerSoftware")
            except FeatureRefused as refused:
                raise TriggerNotReady(f"the camera does not take the trigger: {refused}") from refused
            device.heart.felt()
            delivery.triggers.fire(fired_ns)

    def read(self, timeout_s: float) -> Frame:
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            with self._using:
                device, stream, delivery = self._acquiring()
                grabbed = stream.pop(min(left_s, _SLICE_S))
                if grabbed is None:
                    self._watch(device, delivery)
                else:
                    device.heart.felt()
                    if (frame := delivery.frame(grabbed)) is not None:
                        return frame
            if left_s <= 0:
                raise CameraTimeout(f"no frame within {timeout_s:g} s")

    def idle(self) -> None:
        with self._using:
            if self._device is not None and self._delivery is not None:
                self._watch(self._device, self._delivery)

    def counters(self) -> Mapping[str, int]:
        """See camera.protocol. Asks the camera whether it is there, where nobody else does. Raises: CameraLost."""
        with self._using:
            if self._device is not None and self._stream is not None:
                self._device.ask_whether_alive()
            now = self._since_start()
            return {name: self._counted[name] + now.get(name, 0) for name in {**self._counted, **now}}

    def stop(self) -> None:
        self._order.stopped()
        with self._using:
            self._counted.update(self._since_start())
            device, stream, self._stream, self._delivery = self._device, self._stream, None, None
            if device is None or stream is None:
                return
            device.end_stream(*stream.objects)

    def close(self) -> None:
        self._order.closed()
        with self._using:
            device, stream, self._device, self._stream, self._delivery = self._device, self._stream, None, None, None
            if device is not None:
                device.let_go(*(stream.objects if stream is not None else ()))

    def _since_start(self) -> dict[str, int]:
        if self._stream is None or self._delivery is None:
            return {}
        return {**self._stream.counters(), "unasked": self._delivery.unasked}

    def _reached(self) -> Device:
        self._order.check(started=False)
        if self._device is None:
            raise CameraLost("the camera was closed")
        return self._device

    def _acquiring(self) -> tuple[Device, Stream, Delivery]:
        self._order.check()
        if self._device is None or self._stream is None or self._delivery is None:
            raise CameraLost("the camera was closed")
        return self._device, self._stream, self._delivery

    def _set_up(self, loaded: Library, device: Device) -> CameraInfo:
        """Raises: AravisError, CameraConfigError, CameraLost, FeatureRefused."""
        device.stop_acquiring()  # a driver that was killed left it acquiring, with features that are locked
        applied = set_up(self._config, device.features)
        notes = [layout_of(device.features).note]
        if device.is_gige:
            size, note = set_packet_size(loaded, device, self._config.packet_size)
            applied += (("GevSCPSPacketSize", str(size)),)
            notes += [note, buffer_note(self._config)]
        self._is_ready_known = not self.triggers_itself and can_say_ready(device.features)
        identity = device.identity
        return CameraInfo(
            driver="aravis",
            model=f"{identity.vendor} {identity.model}".strip(),
            serial=identity.serial or identity.device,
            is_simulated=(identity.vendor, identity.model) == ("Aravis", "Fake"),
            settings=applied,
            notes=tuple(note for note in notes if note),
        )

    def _source(self, device: Device) -> Source:
        features = device.features
        return Source(
            epoch=self._epoch,
            serial=self.info.serial,
            is_simulated=self.info.is_simulated,
            is_gige=device.is_gige,
            is_triggered_here=not self.triggers_itself,
            layout=layout_of(features),
            clock=device_clock(features),
            picture_s=SPARE_S + self._config.retention_ms / 1e3 + exposure_s(features),
            counter=device.counted if self._config.counter == "register" else lambda: None,
        )

    def _watch(self, device: Device, delivery: Delivery) -> None:
        """Nothing came for a while: is the camera still there? Raises: CameraLost."""
        try:
            device.heart.beat()
        except Gone as gone:
            raise CameraLost(f"the camera is gone: {gone}") from gone
        limit_s, quiet_s = self._config.lost_after_s, time.monotonic() - delivery.last_at
        if limit_s is not None and quiet_s > limit_s:
            raise CameraLost(f"the camera answers, and has sent no picture for {quiet_s:.1f} s")
