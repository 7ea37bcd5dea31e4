"""Which Basler cameras there are, and which one is meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from camera.drivers.pylon.library import genicam_error, said
from camera.errors import CameraConfigError, CameraInUse, CameraNotFound

EMULATOR = "BaslerCamEmu"
"""The device class of pylon's own emulator (environment variable PYLON_CAMEMU = how many)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One camera that pylon sees."""

    info: Any
    serial: str
    model: str
    user_name: str
    full_name: str
    address: str
    """IP address of a GigE camera, else empty."""
    is_emulated: bool

    def is_called(self, device: str) -> bool:
        """It is known by that serial number, user defined name, full name or address."""
        return device != "" and device in {self.serial, self.user_name, self.full_name, self.address}


def all_candidates(pylon: ModuleType) -> list[Candidate]:
    """Every camera that answers: GigE ones are asked by broadcast, which takes about half a second."""
    return [_candidate(info) for info in pylon.TlFactory.GetInstance().EnumerateDevices()]


def _candidate(info: Any) -> Candidate:
    def of(name: str) -> str:
        is_there, value = info.GetPropertyValue(name)
        return str(value) if is_there else ""

    return Candidate(
        info=info,
        serial=of("SerialNumber"),
        model=of("ModelName"),
        user_name=of("UserDefinedName"),
        full_name=of("FullName"),
        address=of("IpAddress") or of("Address").partition(":")[0],
        is_emulated=of("DeviceClass") == EMULATOR,
    )


def choose(candidates: Sequence[Candidate], device: str | None) -> Candidate:
    """The one that is meant. Raises: CameraNotFound, CameraConfigError where the name fits several or none is said."""
    meant = [one for one in candidates if device is None or one.is_called(device)]
    if len(meant) == 1:
        return meant[0]
    seen = ", ".join(one.serial or one.full_name for one in candidates)
    if not candidates:
        named = "" if device is None else f" {device}"
        raise CameraNotFound(f"there is no Basler camera{named}: look at its cable and power, and at its network")
    if not meant:
        raise CameraNotFound(f"there is no Basler camera {device}; there are {seen}")
    if device is None:
        raise CameraConfigError(f"there are {len(meant)} Basler cameras: set device to one of {seen}")
    raise CameraConfigError(f"{len(meant)} Basler cameras are called {device}: set device to a serial number ({seen})")


def what_keeps_it(pylon: ModuleType, candidate: Candidate) -> str:
    """Why it cannot be opened now, as half a sentence; empty where nothing keeps it."""
    try:
        is_free, why = pylon.TlFactory.GetInstance().IsDeviceAccessibleInfo(candidate.info)
    except genicam_error() as error:
        return said(error)
    if is_free:
        return ""
    if why == pylon.Accessibility_NotReachable:
        return "it is in another network than this computer: give one of them another address"
    return "another program has it"


def attach(pylon: ModuleType, candidate: Candidate) -> Any:
    """An InstantCamera for it, open. Raises: CameraInUse, CameraNotFound."""
    error_kind = genicam_error()
    keeps = what_keeps_it(pylon, candidate)
    named = f"Basler camera {candidate.serial or candidate.full_name}"
    if keeps.startswith("another program"):
        raise CameraInUse(f"{keeps}: {named}; close that program, or unplug the camera for 3 seconds")
    if keeps:
        raise CameraNotFound(f"{named} cannot be opened: {keeps}")
    camera = None
    try:
        camera = pylon.InstantCamera(pylon.TlFactory.GetInstance().CreateDevice(candidate.info))
        camera.Open()
    except error_kind as error:
        if camera is not None:
            camera.DestroyDevice()
        sentence = said(error)
        if "controlled by another" in sentence or "xclusively opened" in sentence:
            raise CameraInUse(f"another program has {named}: {sentence}") from error
        raise CameraNotFound(f"{named} cannot be opened: {sentence}") from error
    return camera
