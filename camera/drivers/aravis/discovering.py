"""Which GigE Vision and USB3 Vision cameras answer."""

from camera.discovery import Looked


def discover(timeout_s: float) -> Looked:
    """Ask the network and the USB ports once, for about a second (libaravis fixes that); at most `timeout_s`."""
    return Looked("aravis", problem="looking for cameras is not built yet")
