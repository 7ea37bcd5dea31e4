"""From settings to a camera: the table of drivers."""

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from camera.config import CONFIGS, CameraConfig
from camera.errors import CameraConfigError
from camera.newest import Newest
from camera.protocol import Camera

DRIVERS: Final[dict[str, tuple[str, str]]] = {
    "virtual": ("camera.drivers.virtual", "VirtualCamera"),
    "folder": ("camera.drivers.folder", "FolderCamera"),
    "opencv": ("camera.drivers.opencv", "OpencvCamera"),
    "aravis": ("camera.drivers.aravis", "AravisCamera"),
    "pylon": ("camera.drivers.pylon", "PylonCamera"),
    "gstreamer": ("camera.drivers.gstreamer", "GstreamerCamera"),
}
"""driver name -> module and class; a vendor's library is imported only when its driver is chosen."""

_DRAINED: Final = frozenset({"opencv", "gstreamer", "pylon"})
"""Drivers that read on a thread of their own, and so give the newest frame themselves."""


def make_camera(config: CameraConfig | Mapping[str, Any]) -> Camera:
    """The camera for these settings, not opened yet; touches no device. Raises: CameraConfigError."""
    settings = check_config(config) if isinstance(config, Mapping) else config
    module, name = DRIVERS[settings.driver]
    camera: Camera = getattr(import_module(module), name)(settings)
    return Newest(camera) if settings.takes_newest and settings.driver not in _DRAINED else camera


def open_camera(config: CameraConfig | Mapping[str, Any]) -> Camera:
    """The camera for these settings, opened; next comes start(), and in the end close().

    Who wants to try again later, with the same camera, takes make_camera() and calls its open().
    Raises: CameraConfigError, CameraNotFound, CameraInUse.
    """
    camera = make_camera(config)
    camera.open()
    return camera


def check_config(settings: Mapping[str, Any]) -> CameraConfig:
    """Settings as they stand in a file, checked. Raises: CameraConfigError, in one sentence."""
    driver = settings.get("driver")
    if not isinstance(driver, str) or driver not in CONFIGS:
        raise CameraConfigError(_no_such_driver(driver))
    model = CONFIGS[driver]
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise CameraConfigError(_in_one_sentence(driver, model, error)) from error


def _no_such_driver(driver: object) -> str:
    known = ", ".join(DRIVERS)
    if driver is None:
        return f"the camera has no driver: set driver to one of {known}"
    near = difflib.get_close_matches(str(driver).lower(), DRIVERS, n=1, cutoff=0.5)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return f'there is no camera driver "{driver}": {hint}choose one of {known}'


def _in_one_sentence(driver: str, model: type[BaseModel], error: ValidationError) -> str:
    """The first mistakes, each with where it stands and what belongs there."""
    mistakes = [_mistake(model, one["loc"], one["msg"], one["type"]) for one in error.errors()[:3]]
    return f"camera with driver {driver}: {'; '.join(mistakes)}"


def _mistake(model: type[BaseModel], place: tuple[int | str, ...], message: str, kind: str) -> str:
    if not place:
        return message.removeprefix("Value error, ")
    where, name = ".".join(str(step) for step in place), str(place[-1])
    holder = _holder(model, place)
    fields = holder.model_fields if holder else {}
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, fields, n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        return f"{where} is not a setting{hint}"
    meaning = f" ({fields[name].description})" if name in fields else ""
    return f"{where}{meaning}: {message}"


def _holder(model: type[BaseModel], place: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model in which the last name of `place` would be a field; None where a list lies between."""
    for name in place[:-1]:
        field = model.model_fields.get(str(name))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return None
        model = inner
    return model
