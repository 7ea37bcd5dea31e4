"""What this computer says about itself, read from /proc and /sys. Nothing is judged here, and nothing is changed."""

import contextlib
import grp
import ipaddress
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_ROUTE_FIELDS: Final = 8
_HEX: Final = 16
_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface."""

    name: str
    is_up: bool = True
    mtu: int = 1500
    """Bytes."""
    speed_mbit: int | None = None
    """Megabits a second of the link; None where there is none, or it does not say (loopback, virtual machines)."""
    is_full_duplex: bool = True
    errors: int = 0
    """Packets received with errors since the computer started: a cable, a plug."""
    dropped: int = 0
    """Packets that the kernel or the card threw away since the computer started: the computer was too slow."""
    is_loopback: bool = False


class System:
    """Reads; any thread may ask. `root` is / (a folder with such files, in tests)."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    @property
    def socket_buffer_max(self) -> int | None:
        """Bytes that a program may ask for (net.core.rmem_max)."""
        return self._number("proc/sys/net/core/rmem_max")

    @property
    def socket_drops(self) -> int | None:
        """UDP packets thrown away because a socket's buffer was full, since the computer started."""
        lines = [line.split() for line in self._text("proc/net/snmp").splitlines() if line.startswith("Udp:")]
        if len(lines) != 2 or "RcvbufErrors" not in lines[0]:
            return None
        return int(lines[1][lines[0].index("RcvbufErrors")])

    @property
    def usbfs_memory_mb(self) -> int | None:
        """Megabytes that USB transfers may take together; 0: no limit; None: this kernel has no USB."""
        return self._number("sys/module/usbcore/parameters/usbfs_memory_mb")

    def interfaces(self) -> dict[str, Interface]:
        """By name."""
        with contextlib.suppress(OSError):
            return {
                place.name: self.interface(place.name) for place in sorted((self._root / "sys/class/net").iterdir())
            }
        return {}

    def interface(self, name: str) -> Interface:
        """What it says about itself; the usual where it does not."""
        place = f"sys/class/net/{name}"
        speed = self._number(f"{place}/speed")
        return Interface(
            name=name,
            is_up=self._text(f"{place}/operstate") in {"up", "unknown"},
            mtu=self._number(f"{place}/mtu") or 1500,
            speed_mbit=speed if speed is not None and speed > 0 else None,
            is_full_duplex=self._text(f"{place}/duplex") != "half",
            errors=self._number(f"{place}/statistics/rx_errors") or 0,
            dropped=(self._number(f"{place}/statistics/rx_dropped") or 0)
            + (self._number(f"{place}/statistics/rx_missed_errors") or 0),
            is_loopback=name == "lo",
        )

    def towards(self, address: str) -> Interface | None:
        """The interface by which packets come from this address (IPv4); None where there is no way to it."""
        try:
            wanted = ipaddress.IPv4Address(address)
        except ValueError:
            return None
        if wanted.is_loopback or _is_own(address):
            return self.interface("lo")
        best: tuple[int, str] | None = None
        for line in self._text("proc/net/route").splitlines()[1:]:
            cells = line.split()
            if len(cells) < _ROUTE_FIELDS:
                continue
            destination, mask = (int.from_bytes(bytes.fromhex(cells[at]), "little") for at in (1, 7))
            length = mask.bit_count()
            if int(wanted) & mask == destination and (best is None or length > best[0]):
                best = (length, cells[0])
        return None if best is None else self.interface(best[1])

    def is_direct(self, address: str) -> bool | None:
        """Whether it is in a network of this computer's own, without a router between; None: no way there at all."""
        try:
            wanted = int(ipaddress.IPv4Address(address))
        except ValueError:
            return None
        if self.towards(address) is None:
            return None
        for line in self._text("proc/net/route").splitlines()[1:]:
            cells = line.split()
            if len(cells) < _ROUTE_FIELDS or cells[2] != "00000000":
                continue
            destination, mask = (int.from_bytes(bytes.fromhex(cells[at]), "little") for at in (1, 7))
            if mask and wanted & mask == destination:
                return True
        return ipaddress.IPv4Address(address).is_loopback or _is_own(address)

    def _text(self, name: str) -> str:
        try:
            return (self._root / name).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:  # also an interface that is down: its speed cannot be read
            return ""

    def _number(self, name: str) -> int | None:
        text = self._text(name)
        return int(text) if text.lstrip("-").isdecimal() else None


def resolved(host: str, resolve: Callable[[str], str] = socket.gethostbyname) -> str | None:
    """The IPv4 address of a name; None where nobody knows it."""
    try:
        return resolve(host)
    except OSError:
        return None


def _is_own(address: str) -> bool:
    """An address can be bound where it is this computer's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Device:
    """A device file, as this process may use it."""

    path: Path
    exists: bool
    may_use: bool
    group: str = ""
    others: tuple[str, ...] = field(default=())
    """Of its kind, which do exist."""


def device(path: Path, pattern: str = "") -> Device:
    """`pattern`: which files are of its kind, such as "video*"."""
    others = tuple(str(one) for one in sorted(path.parent.glob(pattern))) if pattern else ()
    try:
        status = path.stat()
    except OSError:
        return Device(path, exists=False, may_use=False, others=others)
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return Device(path, exists=True, may_use=os.access(path, os.R_OK | os.W_OK), group=group, others=others)
