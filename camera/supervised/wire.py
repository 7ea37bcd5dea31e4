"""What crosses between the two processes: one request, one answer, as JSON in one datagram.

A message that is too long for one (the names and values of a camera's thousand features) lies in memory whose file
descriptor goes in its place: so each stays one datagram, whole or not there at all.
"""

import json
import os
import socket
from dataclasses import dataclass
from typing import Any, Final

from camera import errors
from camera.frame import Frame, FrameStatus, PixelFormat
from camera.protocol import CameraInfo

DATAGRAM_MAX: Final = 1 << 16
"""Bytes of the longest message that goes as it is; pixels are not in it."""
MESSAGE_MAX: Final = 1 << 24
"""Bytes of the longest message at all."""
_IS_ELSEWHERE: Final = b"*"
"""Instead of a message: it is in the last file descriptor that comes with this."""
_FDS_MAX: Final = 2
RAISED: Final = (
    errors.CameraConfigError,
    errors.CameraInUse,
    errors.CameraLost,
    errors.CameraNotFound,
    errors.CameraTimeout,
    errors.EndOfPictures,
    errors.TriggerNotReady,
    RuntimeError,
)
"""What the protocol (camera.protocol) lets a driver raise. Anything else is a crash, and ends the driver's process."""
_BY_NAME: Final[dict[str, type[Exception]]] = {kind.__name__: kind for kind in RAISED}


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the camera."""

    number: int
    """An answer that carries another one is of a call that nobody waits for any more."""
    call: str
    timeout_s: float = 0.0
    slot: int | None = None
    """Where a picture is to be put; None: there is no memory to put it into yet."""
    settings: dict[str, Any] | None = None
    """With "make": the camera's."""


def send_request(to: socket.socket, request: Request) -> None:
    """Raises OSError where the driver's process is gone."""
    _send(to, [request.number, request.call, request.timeout_s, request.slot, request.settings])


def receive_request(source: socket.socket) -> Request | None:
    """None: there is nobody who asks any more."""
    try:
        message, _ = _receive(source)
    except (EOFError, ConnectionError):
        return None
    return Request(*message)


def send_answer(to: socket.socket, number: int, value: Any, fds: tuple[int, ...] = ()) -> None:
    """What the call gave; with a file descriptor where new memory was made for its picture."""
    _send(to, [number, None, value], fds)


def send_error(to: socket.socket, number: int, error: Exception) -> None:
    """What the call raised, one of RAISED."""
    _send(to, [number, type(error).__name__, str(error)])


def receive_answer(source: socket.socket) -> tuple[int, Any, list[int]]:
    """(number of the request, value, file descriptors).

    Raises: Raised; EOFError and OSError where the driver's process is gone, ValueError and TypeError at nonsense.
    """
    (number, error, value), fds = _receive(source)
    if error is not None:
        raise Raised(number, _BY_NAME.get(error, errors.CameraLost)(value))
    return number, value, fds


def _send(to: socket.socket, message: Any, fds: tuple[int, ...] = ()) -> None:
    data = json.dumps(message).encode()
    if len(data) <= DATAGRAM_MAX:
        socket.send_fds(to, [data], fds)
        return
    elsewhere = os.memfd_create("camera message", os.MFD_CLOEXEC)
    try:
        with open(elsewhere, "wb", closefd=False) as file:
            file.write(data)
        socket.send_fds(to, [_IS_ELSEWHERE], (*fds, elsewhere))
    finally:
        os.close(elsewhere)


def _receive(source: socket.socket) -> tuple[Any, list[int]]:
    """A message and the file descriptors that came with it, which are the caller's now. See receive_answer()."""
    data, fds, _, _ = socket.recv_fds(source, DATAGRAM_MAX, _FDS_MAX)
    if not data:
        raise EOFError
    try:
        if data == _IS_ELSEWHERE:
            data = _read_elsewhere(fds.pop())
        return json.loads(data), fds
    except (IndexError, ValueError) as error:
        for fd in fds:
            os.close(fd)
        raise ValueError(f"a message that cannot be read: {error}") from error


def _read_elsewhere(fd: int) -> bytes:
    """Takes over `fd`."""
    with open(fd, "rb") as file:
        file.seek(0)
        data = file.read(MESSAGE_MAX + 1)
    if len(data) > MESSAGE_MAX:
        raise ValueError(f"more than {MESSAGE_MAX} bytes")
    return data


class Raised(Exception):
    """What the call of that number raised, on its way to the caller."""

    def __init__(self, number: int, error: Exception) -> None:
        super().__init__(str(error))
        self.number = number
        self.error = error


def info_to_json(info: CameraInfo) -> list[Any]:
    """See info_from_json."""
    return [info.driver, info.model, info.serial, info.is_simulated, info.settings, info.notes]


def info_from_json(value: list[Any]) -> CameraInfo:
    """See info_to_json."""
    driver, model, serial, is_simulated, settings, notes = value
    return CameraInfo(driver, model, serial, is_simulated, tuple((name, said) for name, said in settings), tuple(notes))


def frame_to_json(frame: Frame, slot: int | None, size: int | None) -> dict[str, Any]:
    """All but the pixels, which are in `slot`; `size`: bytes of each slot of new memory."""
    return {
        "shape": None if frame.pixels is None else frame.pixels.shape,
        "slot": slot,
        "size": size,
        "pixel_format": frame.pixel_format.value,
        "sequence": frame.sequence,
        "exposed_ns": frame.exposed_ns,
        "exposed_utc_ns": frame.exposed_utc_ns,
        "status": frame.status.value,
        "detail": frame.detail,
        "trigger_sequence": frame.trigger_sequence,
        "received_ns": frame.received_ns,
        "device_frame_id": frame.device_frame_id,
        "device_time_ns": frame.device_time_ns,
        "device_clock": frame.device_clock,
        "trigger_count": frame.trigger_count,
        "skipped_before": frame.skipped_before,
        "source": frame.source,
        "is_simulated": frame.is_simulated,
        "truth": frame.truth,
    }


def frame_from_json(value: dict[str, Any], pixels: Any, epoch: int) -> Frame:
    """`pixels`: what is in the slot, read-only; `epoch`: counted here, for it outlives the driver's process."""
    fields = {key: value[key] for key in value if key not in ("shape", "slot", "size")}
    fields["pixel_format"] = PixelFormat(value["pixel_format"])
    fields["status"] = FrameStatus(value["status"])
    return Frame(pixels=pixels, epoch=epoch, **fields)
