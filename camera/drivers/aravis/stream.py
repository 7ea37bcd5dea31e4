"""The pictures of one camera between start() and stop(): buffers go to libaravis, come back filled, and go again."""

import ctypes
import math
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from camera.config import AravisConfig
from camera.drivers.aravis.device import Device
from camera.drivers.aravis.library import AravisError, Library, text
from camera.drivers.aravis.pixels import LAYOUTS, Bytes, Layout
from camera.drivers.aravis.setup import COUNTER_CHUNK
from camera.errors import CameraLost

_SUCCESS: Final = 0
_STATUS: Final = {
    1: "it was never filled",
    2: "the rest of it did not come in time",
    3: "parts of it are missing",
    4: "its packets are out of order",
    5: "it is larger than the camera said pictures would be",
    6: "it was still being filled",
    7: "it was given up",
}
"""ArvBufferStatus, but for success, in words."""
_IMAGE: Final = 1  # ArvBufferPayloadType
_UNSEEN: Final = 2**64 - 1
"""Frame id of a buffer whose first packet never came: what else is in it is from the picture before."""
_PACKET_SOCKET_DISABLED: Final = 1
_RECEIVERS: Final = frozenset({"arv_gv_stream", "arv_uv_stream"})
"""libaravis' names for its threads that receive pictures."""
_OVERHEAD_BYTES: Final = 36
"""IP, UDP and GVSP headers in each packet."""


@dataclass(frozen=True, slots=True)
class Grabbed:
    """One buffer that came back, without the buffer."""

    pixels: Bytes | None
    layout: Layout | None
    problem: str
    """Half a sentence on why there are no pixels; empty otherwise."""
    is_complete: bool
    """False: parts of it were lost on the way. True with a problem: it came, and cannot be read."""
    frame_id: int | None
    device_time_ns: int | None
    """None where the camera has no clock."""
    first_packet_utc_ns: int
    """System time when its first packet came; 0 where that never came."""
    popped_ns: int
    """CLOCK_MONOTONIC when it was taken."""
    counted: int | None
    """The chunk ChunkCounterValue; None where there is none."""


class Stream:
    """An ArvStream with its buffers. Threads: one at a time, but for counters(), which any may call before let_go()."""

    def __init__(self, library: Library, device: Device, config: AravisConfig, *, has_counter_chunk: bool) -> None:
        """Raises: AravisError, CameraLost."""
        self._library = library
        self._payload_bytes = int(device.features.read("PayloadSize"))
        self._packets = 0
        if device.is_gige:
            option = 0 if config.packet_socket else _PACKET_SOCKET_DISABLED
            library.arv_gv_device_set_stream_options(device.pointer, option)
            packet_size = library.arv_gv_device_get_packet_size(device.pointer)
            self._packets = math.ceil(self._payload_bytes / max(1, packet_size - _OVERHEAD_BYTES)) + 2
        pointer = library.arv_device_create_stream(device.pointer, None, None)
        if not pointer:
            raise CameraLost("the camera gives no stream")
        self.pointer: int = pointer
        _be_as_punctual_as_this_thread()
        self._chunks = library.arv_device_create_chunk_parser(device.pointer) if has_counter_chunk else None
        if device.is_gige:
            size = round(config.socket_buffer_mb * 1e6)
            library.set_property(pointer, "socket-buffer", 0)  # fixed
            library.set_property(pointer, "socket-buffer-size", size)
            library.set_property(pointer, "frame-retention", round(config.retention_ms * 1e3), is_unsigned=True)
            _enlarge(library.arv_gv_stream_get_port(pointer), size)
        for _ in range(config.buffers_frames):
            self._give(library.arv_buffer_new_allocate(self._payload_bytes))
        self._names = [
            text(library.arv_stream_get_info_name(pointer, number))
            for number in range(library.arv_stream_get_n_infos(pointer))
        ]
        has_missing = "n_missing_packets" in self._names
        self._missing_number = self._names.index("n_missing_packets") if has_missing else None
        self._missing_before = 0

    def pop(self, timeout_s: float) -> Grabbed | None:
        """The oldest picture, copied out of its buffer, which goes back at once; None where none came in time."""
        buffer = self._library.arv_stream_timeout_pop_buffer(self.pointer, max(0, round(timeout_s * 1e6)))
        if not buffer:
            return None
        try:
            return self._read(buffer, time.monotonic_ns())
        finally:
            self._give(buffer)

    def counters(self) -> Mapping[str, int]:
        """Libaravis' own, by its own names without their n_."""
        return {
            name.removeprefix("n_"): self._counter(number)
            for number, name in enumerate(self._names)
            if name.startswith("n_")
        }

    @property
    def objects(self) -> tuple[int, ...]:
        """What is to be unreferenced in the end, in this order."""
        return (self.pointer,) if self._chunks is None else (self._chunks, self.pointer)

    def _give(self, buffer: int) -> None:
        self._library.arv_buffer_set_frame_id(buffer, _UNSEEN)
        self._library.arv_stream_push_buffer(self.pointer, buffer)

    def _read(self, buffer: int, popped_ns: int) -> Grabbed:
        library = self._library
        status, frame_id = library.arv_buffer_get_status(buffer), library.arv_buffer_get_frame_id(buffer)
        if frame_id == _UNSEEN:
            return _headless(popped_ns)
        layout, pixels, problem, counted = None, None, "", None
        if status == _SUCCESS:
            layout, pixels, problem = self._picture(buffer)
            counted = self._counted(buffer)
        else:
            problem = f"{_STATUS.get(status, 'it did not come whole')}{self._missing()}"
        return Grabbed(
            pixels,
            layout,
            problem,
            status == _SUCCESS,
            frame_id,
            library.arv_buffer_get_timestamp(buffer) or None,
            library.arv_buffer_get_system_timestamp(buffer),
            popped_ns,
            counted,
        )

    def _counted(self, buffer: int) -> int | None:
        """What the camera sent with this picture; None where it sent nothing."""
        if self._chunks is None:
            return None
        with suppress(AravisError):
            return int(self._library.arv_chunk_parser_get_integer_value(self._chunks, buffer, COUNTER_CHUNK.encode()))
        return None

    def _missing(self) -> str:
        """Libaravis counts those after the last one before the gap, for all pictures together: an upper bound."""
        if self._missing_number is None:
            return ""
        before, self._missing_before = self._missing_before, self._counter(self._missing_number)
        return f" (up to {self._missing_before - before} of {self._packets} packets are missing)"

    def _counter(self, number: int) -> int:
        value: int = self._library.arv_stream_get_info_uint64(self.pointer, number)
        return value

    def _picture(self, buffer: int) -> tuple[Layout | None, Bytes | None, str]:
        library = self._library
        payload = library.arv_buffer_get_payload_type(buffer)
        if payload != _IMAGE:
            return None, None, f"the camera sends something that is no plain picture (payload type {payload})"
        code = library.arv_buffer_get_image_pixel_format(buffer)
        layout = LAYOUTS.get(code)
        if layout is None:
            return None, None, f"the camera sends a pixel format that cannot be read (0x{code & 0xFFFFFFFF:08X})"
        height, width = library.arv_buffer_get_image_height(buffer), library.arv_buffer_get_image_width(buffer)
        padding, below = ctypes.c_int(), ctypes.c_int()
        library.arv_buffer_get_image_padding(buffer, ctypes.byref(padding), ctypes.byref(below))
        if padding.value:
            return layout, None, f"its lines are padded by {padding.value} bytes, which cannot be read"
        size = ctypes.c_size_t()
        address = library.arv_buffer_get_data(buffer, ctypes.byref(size))
        needed = height * width * layout.pixel_bytes
        if not address or height < 1 or width < 1 or size.value < needed:
            return layout, None, f"{size.value} bytes came for a picture of {width} x {height} {layout.name}"
        data = np.frombuffer((ctypes.c_uint8 * needed).from_address(address), np.uint8)
        pixels = layout.convert(data, height, width)
        pixels.setflags(write=False)
        return layout, pixels, ""


def _be_as_punctual_as_this_thread() -> None:
    """Threads that receive packets get this thread's scheduling: what was given to it does not go on to its children.

    A socket that nobody empties in time loses packets, however much of the processor the driver's own thread gets.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # gone meanwhile, or not allowed
            if (task / "comm").read_text().strip() in _RECEIVERS:
                os.sched_setscheduler(int(task.name), policy, parameters)


def _headless(popped_ns: int) -> Grabbed:
    return Grabbed(
        pixels=None,
        layout=None,
        problem="its first packet never came",
        is_complete=False,
        frame_id=None,
        device_time_ns=None,
        first_packet_utc_ns=0,
        popped_ns=popped_ns,
        counted=None,
    )


def _enlarge(port: int, size_bytes: int) -> None:
    """Give the stream's socket its buffer before the first picture: libaravis does it only when that one comes."""
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # gone meanwhile
            if not entry.readlink().name.startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(entry.name))) as one:
                if one.family == socket.AF_INET and one.type == socket.SOCK_DGRAM and one.getsockname()[1] == port:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)
