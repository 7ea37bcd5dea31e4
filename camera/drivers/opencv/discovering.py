"""Which cameras OpenCV could open: video devices of this computer, and network cameras that answer ONVIF's call."""

from pathlib import Path

from camera.discovery import Found, Looked
from camera.drivers.opencv.devices import VideoDevice, look_at, video_devices
from camera.drivers.opencv.onvif import NetworkCamera, probe
from camera.errors import CameraError

_STABLE_NAMES = Path("/dev/v4l/by-id")


def discover(timeout_s: float) -> Looked:
    """Takes `timeout_s`. Devices that give no pictures (metadata, codecs) are left out."""
    found = [camera for path in video_devices() if (camera := _video(path)) is not None]
    problem = ""
    try:
        found += [_network(camera) for camera in probe(timeout_s)]
    except OSError as error:
        problem = f"network cameras could not be asked for: {error.strerror}"
    return Looked("opencv", tuple(found), problem)


def _video(path: str) -> Found | None:
    """None: it is for something else than pictures."""
    try:
        device = look_at(path)
    except CameraError as error:
        return Found("opencv", path, model="", serial="", address=path, note=str(error))
    return _device(device) if device.gives_pictures else None


def _device(device: VideoDevice) -> Found:
    name = _stable_name(device.path)
    return Found(
        "opencv",
        device=name,
        model=f"{device.model} ({device.driver}; {', '.join(device.formats)})",
        serial=device.bus,
        address=device.path,
        settings={"driver": "opencv", "url": name},
    )


def _stable_name(path: str) -> str:
    """One that stays when devices are plugged in another order, where udev gives one."""
    links = sorted(_STABLE_NAMES.iterdir()) if _STABLE_NAMES.is_dir() else []
    return next((str(link) for link in links if link.resolve() == Path(path)), path)


def _network(camera: NetworkCamera) -> Found:
    return Found(
        "opencv",
        device=f"rtsp://{camera.host}/",
        model=camera.model,
        serial="",
        address=camera.host,
        note=f"the path of its stream is in the maker's manual, or told after a login by {camera.service}",
    )
