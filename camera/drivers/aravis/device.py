"""One camera, found and opened: GigE Vision at an address, USB3 Vision at a port."""

import ctypes
import ipaddress
import logging
import threading
import time
from dataclasses import dataclass
from typing import Final, Protocol

from camera.drivers.aravis.features import AravisFeatures
from camera.drivers.aravis.gvcp import Gone, Identity, Pulse, identify, search
from camera.drivers.aravis.library import AravisError, Library, text
from camera.errors import CameraConfigError, CameraInUse, CameraLost, CameraNotFound
from camera.features import FeatureRefused

_LOOK_S: Final = 1.0
"""A GigE camera answers within milliseconds; one packet may be lost."""
_LOOK_FOR_ANY_S: Final = 0.5
_ENABLE: Final = 1
_DISABLE: Final = 0
_NEVER: Final = 0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UsbIdentity:
    """What libaravis says about a USB3 Vision camera."""

    device: str
    vendor: str
    model: str
    serial: str
    address: str
    """libaravis' name of its place."""

    def is_called(self, name: str) -> bool:
        """By its id or serial number."""
        return name.casefold() in {self.device.casefold(), self.serial.casefold()}


class Heart(Protocol):
    """Whether the camera is still there; see gvcp.Pulse."""

    @property
    def quiet_s(self) -> float: ...
    def felt(self) -> None: ...
    def beat(self) -> None: ...
    def wait(self) -> None: ...
    def close(self) -> None: ...


class Device:
    """An open camera that this program controls.

    Threads: one at a time.
    """

    def __init__(self, library: Library, pointer: int, identity: Identity | UsbIdentity) -> None:
        """Takes over `pointer`, an ArvDevice. Raises: OSError."""
        self._library = library
        self.pointer = pointer
        self.identity = identity
        self.is_gige = isinstance(identity, Identity)
        self.features = AravisFeatures(library, pointer)
        self.heart: Heart = Pulse(identity.address) if self.is_gige else _UsbPulse(library, pointer)

    def counted(self) -> int | None:
        """The camera's counter now: it may be a pulse further than at the exposure. Raises: CameraLost."""
        try:
            return int(self.features.read("CounterValue"))
        except FeatureRefused:
            return None

    def ask_whether_alive(self) -> None:
        """Where nothing was heard of it for half a second: one packet and its answer, or CameraLost after 0.8 seconds.

        Before whatever libaravis sends, for it would wait 2.5 seconds for each answer.
        """
        if self.heart.quiet_s < Pulse.QUIET_S:
            return
        try:
            self.heart.wait()
        except Gone as gone:
            raise CameraLost(f"the camera is gone: {gone}") from gone

    def stop_acquiring(self) -> None:
        """Also where it does not acquire, or is gone."""
        try:
            self.features.execute("AcquisitionStop")
        except (CameraLost, FeatureRefused) as error:
            _log.info("the camera could not be told to stop: %s", error)

    def end_stream(self, *objects: int) -> None:
        """Have it stop, and unreference its stream; at once, also where it is gone.

        libaravis waits up to 5 seconds for the answers of a camera that is gone, which is then left to a thread.
        """
        try:
            self.ask_whether_alive()
        except CameraLost:
            self._unref_elsewhere(objects)
        else:
            self.stop_acquiring()
            self._unref(objects)

    def let_go(self, *objects: int) -> None:
        """As end_stream(), and give the camera back. Nothing can be asked of it afterwards."""
        self.end_stream(*objects, self.pointer)
        self.heart.close()

    def leave(self) -> None:
        """Close one that this program does not control: it answers, but not to what libaravis sends it in the end."""
        self.heart.close()
        self._unref_elsewhere((self.pointer,))

    def _unref(self, pointers: tuple[int, ...]) -> None:
        for pointer in pointers:
            self._library.g_object_unref(pointer)

    def _unref_elsewhere(self, pointers: tuple[int, ...]) -> None:
        threading.Thread(target=self._unref, args=(pointers,), name="letting go", daemon=True).start()


def open_device(library: Library, name: str | None) -> Device:
    """Find the camera (None: the only one there is) and take control of it.

    Cost: milliseconds by address, and by name where it is a GigE camera that is there.
    Raises: CameraConfigError, CameraInUse, CameraNotFound.
    """
    identity = _find(library, name)
    try:
        device = Device(library, _open(library, identity), identity)
    except AravisError as error:
        if isinstance(identity, UsbIdentity):
            raise CameraInUse(
                f"camera {identity.device} cannot be opened: {error}; either another program has it, or this one may "
                "not use it (a udev rule has to give the group plugdev access)"
            ) from error
        raise CameraNotFound(f"camera {identity.device} at {identity.address} cannot be opened: {error}") from error
    except OSError as error:
        raise CameraNotFound(f"there is no way to camera {identity.device}: {error.strerror}") from error
    if device.is_gige and not library.arv_gv_device_is_controller(device.pointer):
        device.leave()
        raise CameraInUse(
            f"another program controls camera {identity.device} at {identity.address}; end that program, or wait some "
            "seconds if it has just ended"
        )
    library.arv_device_set_range_check_policy(device.pointer, _ENABLE)
    library.arv_device_set_access_check_policy(device.pointer, _ENABLE)
    library.arv_device_set_register_cache_policy(device.pointer, _DISABLE)  # what is read back comes from the camera
    if device.is_gige:
        library.arv_gv_device_set_packet_size_adjustment(device.pointer, _NEVER)
    return device


def usb_cameras(library: Library) -> list[UsbIdentity]:
    """All USB3 Vision cameras at this computer; some milliseconds."""
    library.arv_disable_interface(b"Fake")
    library.arv_disable_interface(b"GigEVision")  # else it takes a second, and asks the network again
    library.arv_update_device_list()
    return [
        UsbIdentity(
            device=text(library.arv_get_device_id(number)),
            vendor=text(library.arv_get_device_vendor(number)),
            model=text(library.arv_get_device_model(number)),
            serial=text(library.arv_get_device_serial_nbr(number)),
            address=text(library.arv_get_device_physical_id(number)),
        )
        for number in range(library.arv_get_n_devices())
    ]


def _find(library: Library, name: str | None) -> Identity | UsbIdentity:
    if name is None:
        return _the_only_one(library)
    try:
        address = str(ipaddress.IPv4Address(name))
    except ValueError:
        return _called(library, name)
    try:
        identity = identify(address)
    except OSError as error:
        raise CameraNotFound(f"there is no way to a camera at {address}: {error.strerror}") from error
    if identity is None:
        raise CameraNotFound(
            f"no GigE Vision camera answers at {address}: look at its power and cable, and ask who is there with "
            "`appliance camera discover`"
        )
    return identity


def _called(library: Library, name: str) -> Identity | UsbIdentity:
    seen = search(_LOOK_S, lambda identity: identity.is_called(name))
    for identity in seen:
        if identity.is_called(name):
            return identity
    for usb in usb_cameras(library):
        if usb.is_called(name):
            return usb
    others = f" (there are {', '.join(identity.device for identity in seen[:5])})" if seen else ""
    raise CameraNotFound(f"no camera answers that is called {name}{others}")


def _the_only_one(library: Library) -> Identity | UsbIdentity:
    found: list[Identity | UsbIdentity] = [*usb_cameras(library), *search(_LOOK_FOR_ANY_S)]
    if not found:
        raise CameraNotFound("no GigE Vision or USB3 Vision camera answers")
    if len(found) > 1:
        names = ", ".join(f'"{identity.device}"' for identity in found[:8])
        raise CameraConfigError(f"there is more than one camera; set device to one of {names}")
    return found[0]


def _open(library: Library, identity: Identity | UsbIdentity) -> int:
    """Raises: AravisError."""
    pointer: int
    if isinstance(identity, UsbIdentity):
        pointer = library.arv_open_device(identity.device.encode())
        return pointer
    ours = library.g_inet_address_new_from_string(identity.interface.encode())
    theirs = library.g_inet_address_new_from_string(identity.address.encode())
    try:
        pointer = library.arv_gv_device_new(ours, theirs)
    finally:
        library.g_object_unref(ours)
        library.g_object_unref(theirs)
    return pointer


class _UsbPulse:
    """As gvcp.Pulse, for USB: a camera that was pulled out is known to the kernel, and a read fails at once."""

    def __init__(self, library: Library, pointer: int) -> None:
        self._library = library
        self._pointer = pointer
        self._alive_at = time.monotonic()

    @property
    def quiet_s(self) -> float:
        return time.monotonic() - self._alive_at

    def felt(self) -> None:
        self._alive_at = time.monotonic()

    def beat(self) -> None:
        if self.quiet_s < Pulse.QUIET_S:
            return
        word = ctypes.create_string_buffer(4)
        try:
            self._library.arv_device_read_memory(self._pointer, 0, 4, word)  # the protocol's version
        except AravisError as error:
            raise Gone(f"it does not answer ({error})") from error
        self.felt()

    def wait(self) -> None:
        self._alive_at = min(self._alive_at, time.monotonic() - Pulse.QUIET_S)
        self.beat()

    def close(self) -> None:
        """There is nothing of its own."""
