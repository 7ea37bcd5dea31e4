"""Judgements on the way from a network camera to this program: buffers, packets, links. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from camera.checking.findings import Finding, note, well, wrong
from camera.checking.system import Interface

SOCKET_BUFFER_BYTES: Final = 33_554_432
"""What deploy/install sets net.core.rmem_max to: four pictures of 8 MB."""
_SYSCTL_FILE: Final = "/etc/sysctl.d/60-appliance-cameras.conf"
_PICTURES_ROOM: Final = 4
"""So many pictures may wait while something else has the processor."""
_FULL: Final = 0.9
"""Share of a link from which on packets queue up and get lost."""
_GIGABIT: Final = 1000
_HEADERS_BYTES: Final = 28
_JUMBO: Final = 8000


@dataclass(frozen=True, slots=True)
class Stream:
    """What one camera sends."""

    name: str
    frame_bytes: int
    frames_per_s: float

    @property
    def mbit_per_s(self) -> float:
        """With some 4 % of headers."""
        return self.frame_bytes * 8 * self.frames_per_s * 1.04 / 1e6


def socket_buffer(rmem_max: int | None, wanted_bytes: int, frame_bytes: int | None = None) -> Finding:
    """A GigE camera sends a picture as one burst: it has to fit until this program gets the processor.

    `wanted_bytes`: what the driver asks for; the kernel gives rmem_max at most and says nothing.
    """
    what = "socket buffer"
    if rmem_max is None:
        return note(what, "this kernel does not say how large a socket's buffer may be (net.core.rmem_max)")
    given = min(rmem_max, wanted_bytes)
    repair = (
        f"sysctl -w net.core.rmem_max={SOCKET_BUFFER_BYTES} (for good: that line in {_SYSCTL_FILE}; "
        "deploy/install writes it)"
    )
    if frame_bytes and given < frame_bytes:
        return wrong(
            what,
            f"{_mb(given)} are allowed (net.core.rmem_max = {rmem_max}), and a picture has {_mb(frame_bytes)}: most "
            f"will arrive incomplete; {repair}",
        )
    if rmem_max < wanted_bytes and (frame_bytes is None or given < _PICTURES_ROOM * frame_bytes):
        return note(
            what,
            f"the driver asks for {_mb(wanted_bytes)} and gets {_mb(rmem_max)} (net.core.rmem_max = {rmem_max}): "
            f"pictures will be lost when the computer is busy; {repair}",
        )
    room = f", room for {given // frame_bytes} pictures of {_mb(frame_bytes)}" if frame_bytes else ""
    return well(what, f"{_mb(given)}{room}")


def packets(interface: Interface, packet_size: int | None) -> Finding:
    """`packet_size`: bytes as it is set (GevSCPSPacketSize); None: the driver takes the largest that passes."""
    what = "packets"
    name, mtu = interface.name, interface.mtu
    if packet_size is not None and packet_size > mtu:
        return wrong(
            what,
            f"packet_size = {packet_size} does not pass through {name}, whose MTU is {mtu}: nothing would arrive; "
            f"ip link set {name} mtu 9000, or packet_size = {mtu}",
        )
    if mtu < _JUMBO and not interface.is_loopback:
        return note(
            what,
            f"the MTU of {name} is {mtu}: with jumbo packets the same picture costs a sixth of the packets and less "
            f"processor; ip link set {name} mtu 9000, where camera and switch take it",
        )
    if packet_size is not None and packet_size < mtu - _HEADERS_BYTES and packet_size < _JUMBO and mtu >= _JUMBO:
        return note(
            what,
            f"packets have {packet_size} bytes, and {name} takes {mtu}: without packet_size the largest is taken",
        )
    return well(what, f"{f'{packet_size} bytes' if packet_size else 'as large as passes'}; the MTU of {name} is {mtu}")


def link(interface: Interface, streams: Sequence[Stream]) -> Finding:
    """`streams`: all cameras that come through this interface; their sum has to fit."""
    what = "link"
    name = interface.name
    if not interface.is_up:
        return wrong(what, f"{name} is down: plug in the cable, or ip link set {name} up")
    if interface.is_loopback:
        return well(what, "the camera is on this computer")
    asked = sum(stream.mbit_per_s for stream in streams)
    shares = " + ".join(f"{stream.name} {stream.mbit_per_s:.0f}" for stream in streams)
    if interface.speed_mbit is None:
        return note(what, f"{name} does not say how fast its link is; the cameras send {asked:.0f} Mbit/s ({shares})")
    speed = interface.speed_mbit
    sentence = f"{name} has {speed} Mbit/s, and {len(streams)} camera(s) send {asked:.0f} ({shares})"
    if not interface.is_full_duplex:
        return wrong(what, f"{name} runs at half duplex: set camera and switch to negotiate by themselves")
    if asked > speed * _FULL:
        return wrong(
            what,
            f"{sentence}: pictures will arrive incomplete; lower the frame rate, cut the picture (Width, Height), or "
            f"give {'each camera a port of its own' if len(streams) > 1 else 'the camera a faster port'}",
        )
    if speed < _GIGABIT and streams:
        return note(
            what, f"{sentence}; a GigE camera should get 1000: look at cable and plug (all eight wires), and the switch"
        )
    return well(what, sentence)


def losses(before: Interface, after: Interface, socket_drops: int | None = None) -> Finding:
    """What was counted while pictures were taken. `socket_drops`: UDP packets that found their buffer full."""
    what = "interface"
    name = after.name
    errors, dropped = after.errors - before.errors, after.dropped - before.dropped
    if errors > 0:
        return wrong(what, f"{name} received {errors} broken packets meanwhile: change the cable, look at the plug")
    if socket_drops:
        return wrong(
            what,
            f"{socket_drops} packets found their socket's buffer full meanwhile: raise net.core.rmem_max "
            f"to {SOCKET_BUFFER_BYTES}, and look at what else this computer does",
        )
    if dropped > 0:
        return note(
            what,
            f"{name} threw {dropped} packets away meanwhile: ethtool -G {name} rx 4096 gives the card more room; "
            "packets of other kinds are counted there, too",
        )
    return well(what, f"{name} lost nothing meanwhile ({after.errors} errors since this computer started)")


def reach(address: str, interface: Interface | None, *, is_direct: bool | None) -> Finding | None:
    """None where there is nothing to say. GigE Vision passes no router in practice."""
    what = "address"
    if interface is None:
        return wrong(
            what, f"this computer has no way to {address}: give the camera's interface an address in the same network"
        )
    if is_direct is False:
        return note(what, f"{address} is behind a router: give {interface.name} an address in the camera's own network")
    return None


def _mb(count: int) -> str:
    if count < 100e3:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.1f} MB" if count < 100e6 else f"{count / 1e6:.0f} MB"
