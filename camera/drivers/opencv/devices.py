"""What Linux says about a video device (V4L2), by its own ioctls: no library needed."""

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from camera.errors import CameraConfigError, CameraInUse, CameraNotFound

# linux/videodev2.h
_QUERYCAP: Final = 0x80685600
_ENUM_FMT: Final = 0xC0405602
_CAPABILITY: Final = struct.Struct("=16s32s32sIII12x")
_FMTDESC: Final = struct.Struct("=III32s4sI12x")
_CAN_CAPTURE: Final = 0x1 | 0x1000  # single-planar, multi-planar
_CAN_STREAM: Final = 0x04000000
_HAS_DEVICE_CAPS: Final = 0x80000000
_BUFFER_CAPTURE: Final = 1
_FORMATS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class VideoDevice:
    """One /dev/video*."""

    path: str
    driver: str
    model: str
    bus: str
    """Where it is plugged in, such as usb-0000:00:14.0-3."""
    gives_pictures: bool
    """False: it is for metadata, output or a codec."""
    formats: tuple[str, ...]
    """FOURCCs that it can give, such as YUYV and MJPG."""


def look_at(path: str) -> VideoDevice:
    """Ask it. Raises: CameraNotFound, CameraInUse, CameraConfigError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise CameraNotFound(f"there is no {path}; is the camera plugged in?") from None
    except PermissionError:
        # Not final: udev gives the group a moment after the device appears.
        raise CameraNotFound(f"{path} may not be opened; let the user into the group video") from None
    except OSError as error:
        kind = CameraInUse if isinstance(error, BlockingIOError) or error.errno == 16 else CameraNotFound
        raise kind(f"{path} cannot be opened: {error.strerror}") from None
    try:
        answer = fcntl.ioctl(fd, _QUERYCAP, bytes(_CAPABILITY.size))
        driver, model, bus, _version, all_of_it, this_node = _CAPABILITY.unpack(answer)
        capabilities = this_node if all_of_it & _HAS_DEVICE_CAPS else all_of_it
        gives_pictures = bool(capabilities & _CAN_CAPTURE) and bool(capabilities & _CAN_STREAM)
        formats = _formats(fd) if gives_pictures else ()
    except OSError as error:
        raise CameraConfigError(f"{path} is not a video device (V4L2): {error.strerror}") from None
    finally:
        os.close(fd)
    return VideoDevice(path, _text(driver), _text(model), _text(bus), gives_pictures, formats)


def video_devices(folder: Path = Path("/dev")) -> list[str]:
    """All /dev/video*, by number."""
    numbers = [path.name.removeprefix("video") for path in folder.glob("video*")]
    return [str(folder / f"video{number}") for number in sorted(int(number) for number in numbers if number.isdigit())]


def _formats(fd: int) -> tuple[str, ...]:
    found = []
    for index in range(_FORMATS_MAX):
        try:
            answer = fcntl.ioctl(fd, _ENUM_FMT, _FMTDESC.pack(index, _BUFFER_CAPTURE, 0, b"", b"", 0))
        except OSError:
            break
        found.append(_FMTDESC.unpack(answer)[4].decode("ascii", "replace"))
    return tuple(found)


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")
