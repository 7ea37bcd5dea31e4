"""A GigE camera's way to this computer: how large its packets are, and what the kernel keeps of them."""

import socket
from typing import Final

from camera.config import AravisConfig
from camera.drivers.aravis.device import Device
from camera.drivers.aravis.library import Library
from camera.errors import CameraConfigError

_USUAL_PACKET: Final = 1500
"""Bytes: what every network carries."""


def set_packet_size(library: Library, device: Device, asked: int | None) -> tuple[int, str]:
    """Bytes that were set and read back, and a note for people. It is always set: cameras keep the last one's.

    None: the largest that the network carries, where the camera can send packets to try (GevSCPSFireTestPacket).
    Raises: AravisError, CameraConfigError, CameraLost.
    """
    note = ""
    if asked is not None:
        library.arv_gv_device_set_packet_size(device.pointer, asked)
    elif device.features.has("GevSCPSFireTestPacket"):
        library.arv_gv_device_auto_packet_size(device.pointer)
    else:
        library.arv_gv_device_set_packet_size(device.pointer, _USUAL_PACKET)
        note = (
            f"the camera cannot try which packets the network carries, so they have {_USUAL_PACKET} bytes; set "
            "packet_size to the network's MTU where that is larger (9000 for jumbo frames)"
        )
    got = int(library.arv_gv_device_get_packet_size(device.pointer))
    if asked is not None and got != asked:
        raise CameraConfigError(f"packet_size was set to {asked} and the camera says {got}")
    return got, note


def buffer_note(config: AravisConfig) -> str:
    """A sentence where the kernel gives the socket less room than it was asked for; else empty."""
    asked = round(config.socket_buffer_mb * 1e6)
    granted = granted_bytes(asked)
    if granted >= asked or config.packet_socket:
        return ""
    return (
        f"the socket's buffer holds {granted / 1e6:.1f} MB and not the {asked / 1e6:g} MB of socket_buffer_mb, so "
        f"pictures may lose packets: sysctl -w net.core.rmem_max={asked}"
    )


def granted_bytes(asked_bytes: int) -> int:
    """What the kernel gives a socket that asks for so large a buffer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, asked_bytes)
        return asking.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel says twice what it gave
