"""Which GigE Vision and USB3 Vision cameras answer."""

from typing import Any

from camera.discovery import Found, Looked
from camera.drivers.aravis.device import UsbIdentity, usb_cameras
from camera.drivers.aravis.gvcp import Identity, identify, is_controlled, search
from camera.drivers.aravis.library import library
from camera.errors import CameraConfigError


def discover(timeout_s: float) -> Looked:
    """Ask every network of this computer for `timeout_s` seconds, and its USB ports. Disturbs nobody's camera."""
    gige = tuple(_gige(identity) for identity in search(timeout_s))
    try:
        return Looked("aravis", (*gige, *map(_usb, usb_cameras(library()))))
    except CameraConfigError as error:
        return Looked("aravis", gige, str(error))


def _gige(identity: Identity) -> Found:
    note = _note(identity)
    name = f"{identity.vendor} {identity.model}".strip()
    called = f" ({identity.user_name})" if identity.user_name else ""
    return Found(
        "aravis", identity.device, name + called, identity.serial, identity.address, _settings(identity.device), note
    )


def _usb(identity: UsbIdentity) -> Found:
    name = f"{identity.vendor} {identity.model}".strip()
    return Found("aravis", identity.device, name, identity.serial, identity.address, _settings(identity.device))


def _settings(device: str) -> dict[str, Any]:
    return {"driver": "aravis", "device": device}


def _note(identity: Identity) -> str:
    """It was heard by everybody's address; can it be reached by its own?"""
    try:
        if identify(identity.address) is None:
            return (
                f"it does not answer at its own address {identity.address}: it is in another network than "
                f"{identity.interface}; give one of the two another address"
            )
        if is_controlled(identity.address):
            return "another program controls it"
    except OSError as error:
        return f"there is no way to its address {identity.address} ({error.strerror}): give it one in this network"
    return ""
