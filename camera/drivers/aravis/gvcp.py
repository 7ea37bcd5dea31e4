"""GigE Vision's control protocol, as far as libaravis keeps it to itself: who is there, and is it still there?

libaravis always looks for a whole second, asks the DNS for names that it does not know, and needs 2.5 seconds to see
that a camera is gone. Here it is one packet and its answer, none of which disturbs who controls the camera.
Source: GigE Vision 2.0, parts 14 (discovery), 15 (packets) and 28 (bootstrap registers).
"""

import fcntl
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PORT: Final = 3956
_KEY: Final = 0x42
_WANTS_ANSWER: Final = 0x01
_DISCOVER: Final = 0x0002
_READ_REGISTER: Final = 0x0080
_HEADER: Final = struct.Struct(">BBHHH")  # key, flags, command, length, number
_ANSWER: Final = struct.Struct(">HHHH")  # status, command + 1, length, number
_IDENTITY_BYTES: Final = 0xF8
_AGAIN_S: Final = 0.2
"""A packet without an answer for so long was lost, or nobody is there."""
_CONTROL: Final = 0x0A00
"""Control channel privilege: 0 where nobody controls the camera."""
_SIOCGIFADDR: Final = 0x8915
_INTERFACES: Final = Path("/proc/thread-self/net/dev")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a camera says about itself to whoever asks."""

    address: str
    mac: str
    vendor: str
    model: str
    serial: str
    user_name: str
    interface: str
    """This computer's own address on the way to it."""

    @property
    def device(self) -> str:
        """How it is named in the settings; unlike its address it stays."""
        return f"{self.vendor}-{self.model}-{self.serial or self.mac}"

    def is_called(self, name: str) -> bool:
        """By its id, serial number, user defined name, MAC or IP address; upper and lower case are the same."""
        names = (self.device, f"{self.vendor}-{self.serial}", self.serial, self.user_name, self.mac, self.address)
        return name.casefold() in {known.casefold() for known in names if known}


def identify(address: str, timeout_s: float = 3 * _AGAIN_S) -> Identity | None:
    """Ask one address; None where no camera answers in time. Raises: OSError where there is no way to it."""
    with _towards(address) as asking:
        packet = _packet(_DISCOVER, 1)
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            _send(asking, packet)
            if (answer := _answer(asking, _DISCOVER, 1, min(left_s, _AGAIN_S))) is not None:
                return _identity(answer, asking.getsockname()[0])
    return None


def search(timeout_s: float, is_enough: Callable[[Identity], bool] = lambda _: False) -> list[Identity]:
    """Ask everybody in every network of this computer, until `is_enough` or the time is over; each camera once."""
    found: dict[str, Identity] = {}
    asking = [one for one in map(_into, _interfaces()) if one is not None]
    try:
        deadline = time.monotonic() + timeout_s
        next_s = 0.0
        while (now := time.monotonic()) < deadline and not any(map(is_enough, found.values())):
            if now >= next_s:
                next_s = now + 2 * _AGAIN_S
                for one in asking:
                    _send(one, _packet(_DISCOVER, 1), ("255.255.255.255", PORT))
            ready, _, _ = select.select(asking, [], [], max(0.0, min(deadline, next_s) - now))
            for one in ready:
                if (answer := _answer(one, _DISCOVER, 1, 0.0)) is not None:
                    identity = _identity(answer, one.getsockname()[0])
                    found.setdefault(identity.mac + identity.serial + identity.address, identity)
    finally:
        for one in asking:
            one.close()
    return list(found.values())


def is_controlled(address: str) -> bool:
    """Some program has the camera. Raises: OSError where there is no way to it, or it does not answer."""
    with _towards(address) as asking:
        for _ in range(3):
            _send(asking, _packet(_READ_REGISTER, 1, struct.pack(">I", _CONTROL)))
            if (answer := _answer(asking, _READ_REGISTER, 1, _AGAIN_S)) is not None and len(answer) >= 4:
                return bool(struct.unpack_from(">I", answer)[0])
    raise OSError(f"no camera answers at {address}")


class Gone(Exception):
    """The camera does not answer, or is controlled by nobody any more. Its text is half a sentence."""


class Pulse:
    """Whether a camera is still there, asked without ever waiting: beat() sends a question, a later one looks.

    It reads the register that says who controls the camera, so one that was switched off and on is noticed too.
    Threads: one.
    """

    QUIET_S: Final = 0.5
    """After so long without a sign of life it is asked for one."""
    _TRIES: Final = 4

    def __init__(self, address: str) -> None:
        """Raises: OSError where there is no way to the address."""
        self._asking = _towards(address)
        self._number = 0
        self._tries = 0
        self._asked_at = 0.0
        self._alive_at = time.monotonic()

    @property
    def quiet_s(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self._alive_at

    def felt(self) -> None:
        """The camera gave a sign of life by itself: a picture, an answer."""
        self._alive_at, self._tries = time.monotonic(), 0

    def beat(self) -> None:
        """Cheap; to be called every tenth of a second or so while nothing comes. Raises: Gone."""
        if self._tries:
            self._look()
        now = time.monotonic()
        if now - self._alive_at < self.QUIET_S or (self._tries and now - self._asked_at < _AGAIN_S):
            return
        if self._tries >= self._TRIES:
            raise Gone(f"it has not answered for {now - self._alive_at:.1f} s")
        self._number = self._number % 0xFFFF + 1
        self._tries, self._asked_at = self._tries + 1, now
        _send(self._asking, _packet(_READ_REGISTER, self._number, struct.pack(">I", _CONTROL)))

    def wait(self) -> None:
        """Until it has answered; at most 0.8 seconds. Raises: Gone."""
        self._alive_at = min(self._alive_at, time.monotonic() - self.QUIET_S)
        while self.quiet_s >= self.QUIET_S:
            self.beat()
            select.select([self._asking], [], [], _AGAIN_S)
            self._look()

    def close(self) -> None:
        self._asking.close()

    def _look(self) -> None:
        answer = _answer(self._asking, _READ_REGISTER, self._number, 0.0)
        if answer is None:
            return
        if len(answer) >= 4 and struct.unpack_from(">I", answer)[0] == 0:
            raise Gone("it was started anew, or was taken away from this program")
        self.felt()


def _towards(address: str) -> socket.socket:
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        asking.connect((address, PORT))
    except OSError:
        asking.close()
        raise
    return asking


def _into(interface: str) -> socket.socket | None:
    """None: this address of ours is gone, or sends nothing to everybody."""
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        asking.bind((interface, 0))
    except OSError:
        asking.close()
        return None
    return asking


def _interfaces() -> list[str]:
    """This computer's IPv4 addresses, one for each interface. Without netlink, which a sealed service may not use."""
    addresses = []
    names = [line.partition(":")[0].strip() for line in _INTERFACES.read_text().splitlines()[2:]]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
        for name in names:
            request = struct.pack("16s16x8x", name.encode()[:15])
            with suppress(OSError):  # it has none
                addresses.append(socket.inet_ntoa(fcntl.ioctl(asking, _SIOCGIFADDR, request)[20:24]))
    return addresses


def _packet(command: int, number: int, payload: bytes = b"") -> bytes:
    return _HEADER.pack(_KEY, _WANTS_ANSWER, command, len(payload), number) + payload


def _send(asking: socket.socket, packet: bytes, to: tuple[str, int] | None = None) -> None:
    """A packet that cannot be sent now is one that is lost: there is no cable at the moment, or nobody listens."""
    try:
        if to is None:
            asking.send(packet)
        else:
            asking.sendto(packet, to)
    except OSError:
        return


def _answer(asking: socket.socket, command: int, number: int, timeout_s: float) -> bytes | None:
    """What the camera answered to that packet, without the header; None where it did not, or refused."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            data = asking.recv(1024)
        except OSError:  # nothing yet; or: the computer is there, and nobody listens (any more, or yet)
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            select.select([asking], [], [], left_s)
            continue
        if len(data) >= _ANSWER.size:
            status, kind, _, answered = _ANSWER.unpack_from(data)
            if (kind, answered) == (
                command + 1,
                number,
            ):  # not so: that it needs longer, or is an answer to the last one
                return data[_ANSWER.size :] if status == 0 else None


def _identity(data: bytes, interface: str) -> Identity:
    data = data.ljust(_IDENTITY_BYTES, b"\0")
    return Identity(
        address=socket.inet_ntoa(data[0x24:0x28]),
        mac=":".join(f"{byte:02x}" for byte in data[0x0A:0x10]),
        vendor=_text(data[0x48:0x68]),
        model=_text(data[0x68:0x88]),
        serial=_text(data[0xD8:0xE8]),
        user_name=_text(data[0xE8:0xF8]),
        interface=interface,
    )


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="replace").strip()
