"""Which Basler cameras there are."""

from camera.discovery import Found, Looked
from camera.drivers.pylon.finding import Candidate, all_candidates, what_keeps_it
from camera.drivers.pylon.library import genicam_error, load_pylon, said
from camera.errors import CameraConfigError


def discover(timeout_s: float) -> Looked:  # noqa: ARG001  # every driver is asked so
    """Ask the network and the USB ports once, for about a second: pylon itself says how long, not `timeout_s`.

    Emulated cameras are among them where PYLON_CAMEMU is set. Raises nothing of its own.
    """
    try:
        pylon = load_pylon()
    except CameraConfigError as error:
        return Looked("pylon", problem=str(error))
    try:
        candidates = all_candidates(pylon)
        found = tuple(_found(one, what_keeps_it(pylon, one)) for one in candidates)
    except genicam_error() as error:
        return Looked("pylon", problem=f"pylon could not look for cameras: {said(error)}")
    return Looked("pylon", found)


def _found(one: Candidate, keeps: str) -> Found:
    device = one.serial or one.full_name
    settings = None if keeps else {"driver": "pylon", "device": device}
    note = "emulated by pylon (PYLON_CAMEMU): no real camera" if one.is_emulated and not keeps else keeps
    return Found("pylon", device, one.model, one.serial, one.address, settings, note)
