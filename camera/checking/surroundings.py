"""Which judgements a camera's driver and settings call for, and what they are: everything around the camera itself."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from camera.checking import devices, network
from camera.checking.findings import Finding, note, well
from camera.checking.system import Interface, System, device, resolved
from camera.config import AnyConfig, AravisConfig, GenicamConfig, OpencvConfig


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One camera and the way to it, as they were before pictures were taken."""

    config: AnyConfig
    address: str | None = None
    """IPv4, where it is a network camera and known."""
    interface: Interface | None = None
    """By which its pictures come."""
    socket_drops: int | None = None

    @property
    def is_gige(self) -> bool:
        """GigE Vision."""
        return isinstance(self.config, GenicamConfig) and self.address is not None

    @property
    def is_usb_vision(self) -> bool:
        """USB3 Vision, as far as is known: a GenICam camera without an address, on a computer that has USB."""
        return isinstance(self.config, GenicamConfig) and self.address is None


def surroundings(config: AnyConfig, system: System, found_address: str = "") -> Surroundings:
    """`found_address`: what the driver's discovery says; an IP address or a USB port. Names are resolved here."""
    address = _address(config, found_address)
    interface = None if address is None else system.towards(address)
    return Surroundings(config, address, interface, system.socket_drops)


def before(around: Surroundings, system: System) -> list[Finding]:
    """What can be said before the camera is opened."""
    config = around.config
    if isinstance(config, OpencvConfig):
        return _before_stream(config, around)
    findings = []
    if around.address is not None and around.is_gige:
        reach = network.reach(around.address, around.interface, is_direct=system.is_direct(around.address))
        findings += [reach] if reach else []
        if around.interface is not None:
            packet_size = config.packet_size if isinstance(config, AravisConfig) else None
            findings.append(network.packets(around.interface, packet_size))
    return findings


def after(
    around: Surroundings, system: System, streams: Sequence[network.Stream], frame_bytes: int | None
) -> list[Finding]:
    """What can be said once it is known how large its pictures are. `streams`: this camera first, then others."""
    config = around.config
    findings = []
    if around.is_gige:
        wanted = (
            round(config.socket_buffer_mb * 1e6) if isinstance(config, AravisConfig) else network.SOCKET_BUFFER_BYTES
        )
        findings.append(network.socket_buffer(system.socket_buffer_max, wanted, frame_bytes))
    if around.is_usb_vision and system.usbfs_memory_mb is not None:
        buffers = config.buffers_frames if isinstance(config, GenicamConfig) else 0
        findings.append(devices.usb_memory(system.usbfs_memory_mb, buffers * frame_bytes if frame_bytes else None))
    if around.interface is not None:
        now = system.interface(around.interface.name)
        if around.is_gige:
            findings.append(network.link(now, streams))
        drops = system.socket_drops
        meanwhile = drops - around.socket_drops if drops is not None and around.socket_drops is not None else None
        findings.append(network.losses(around.interface, now, meanwhile if around.is_gige else None))
    return findings


def shares_interface(one: Surroundings, other: Surroundings) -> bool:
    """Whether the pictures of both come by the same interface, as far as is known."""
    return one.interface is not None and other.interface is not None and one.interface.name == other.interface.name


def _before_stream(config: OpencvConfig, around: Surroundings) -> list[Finding]:
    if config.url.startswith("/dev/"):
        return [devices.may_open(device(Path(config.url), "video*"))]
    findings = []
    if around.address is not None:
        reach = network.reach(around.address, around.interface, is_direct=None)
        findings += [reach] if reach else []
    what = "stream"
    if config.url.startswith(("rtsp://", "rtsps://")):
        findings.append(
            note(
                what,
                "RTSP carries compressed pictures of some 50 to 150 ms age, and its camera does not wait for a "
                "trigger: for parts that move take a GigE or USB3 camera with a trigger; watch frame age and jitter",
            )
        )
        if config.transport == "udp":
            findings.append(
                note(what, 'transport = "udp" loses packets without a word, which shows as smears; "tcp" does not')
            )
    else:
        findings.append(
            note(
                what, "MJPEG over HTTP has no time of exposure: what the age below leaves out is the camera's own delay"
            )
        )
    return findings


def _address(config: AnyConfig, found: str) -> str | None:
    if isinstance(config, OpencvConfig):
        host = urlsplit(config.url).hostname
        return resolved(host) if host else None
    if isinstance(config, GenicamConfig):
        return next((one for one in (found, config.device or "") if _is_ipv4(one)), None)
    return None


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def summary_of_settings(applied: Sequence[tuple[str, str]]) -> Finding | None:
    """What the camera read back; None where it told nothing."""
    if not applied:
        return None
    return well("settings", ", ".join(f"{name} {value}" for name, value in applied))
