"""libaravis by ctypes: what is called of it, who owns what it gives, and its errors as ours.

Everything here is in libaravis 0.8.20 and newer (Debian 12 has 0.8.26), but for what _NEWER names.
Ownership, as the library's documentation says it: what a `new`, `create` or `pop` gives is ours until it is
unreferenced or pushed; strings and nodes that a `get` gives belong to the object; arrays from a `dup` are ours, and
their strings are not.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from functools import cache
from typing import Any, Final

from camera.errors import CameraConfigError

_SONAME: Final = "libaravis-0.8.so.0"


class _GError(ctypes.Structure):
    _fields_ = (("domain", c_uint32), ("code", c_int), ("message", c_char_p))


class GSList(ctypes.Structure):
    """A linked list of GLib's."""


GSList._fields_ = (("data", c_void_p), ("next", POINTER(GSList)))  # it holds itself

_ERROR = POINTER(POINTER(_GError))  # as the last argument: the function says what went wrong there

_FUNCTIONS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    # name: what it returns, what it takes
    "arv_update_device_list": (None, ()),
    "arv_get_n_devices": (c_uint32, ()),
    "arv_get_device_id": (c_char_p, (c_uint32,)),
    "arv_get_device_physical_id": (c_char_p, (c_uint32,)),
    "arv_get_device_vendor": (c_char_p, (c_uint32,)),
    "arv_get_device_model": (c_char_p, (c_uint32,)),
    "arv_get_device_serial_nbr": (c_char_p, (c_uint32,)),
    "arv_disable_interface": (None, (c_char_p,)),
    "arv_open_device": (c_void_p, (c_char_p, _ERROR)),
    "arv_gv_device_new": (c_void_p, (c_void_p, c_void_p, _ERROR)),
    "arv_gv_device_is_controller": (c_int, (c_void_p,)),
    "arv_gv_device_set_packet_size": (None, (c_void_p, c_int, _ERROR)),
    "arv_gv_device_get_packet_size": (c_uint32, (c_void_p, _ERROR)),
    "arv_gv_device_auto_packet_size": (c_uint32, (c_void_p, _ERROR)),
    "arv_gv_device_set_packet_size_adjustment": (None, (c_void_p, c_int)),
    "arv_gv_device_set_stream_options": (None, (c_void_p, c_int)),
    "arv_device_set_range_check_policy": (None, (c_void_p, c_int)),
    "arv_device_set_access_check_policy": (None, (c_void_p, c_int)),
    "arv_device_set_register_cache_policy": (None, (c_void_p, c_int)),
    "arv_device_get_feature": (c_void_p, (c_void_p, c_char_p)),
    "arv_device_is_feature_available": (c_int, (c_void_p, c_char_p, _ERROR)),
    "arv_device_execute_command": (None, (c_void_p, c_char_p, _ERROR)),
    "arv_device_get_boolean_feature_value": (c_int, (c_void_p, c_char_p, _ERROR)),
    "arv_device_set_boolean_feature_value": (None, (c_void_p, c_char_p, c_int, _ERROR)),
    "arv_device_get_integer_feature_value": (c_int64, (c_void_p, c_char_p, _ERROR)),
    "arv_device_set_integer_feature_value": (None, (c_void_p, c_char_p, c_int64, _ERROR)),
    "arv_device_get_float_feature_value": (c_double, (c_void_p, c_char_p, _ERROR)),
    "arv_device_set_float_feature_value": (None, (c_void_p, c_char_p, c_double, _ERROR)),
    "arv_device_get_string_feature_value": (c_char_p, (c_void_p, c_char_p, _ERROR)),
    "arv_device_set_string_feature_value": (None, (c_void_p, c_char_p, c_char_p, _ERROR)),
    "arv_device_dup_available_enumeration_feature_values_as_strings": (
        c_void_p,
        (c_void_p, c_char_p, POINTER(c_uint32), _ERROR),
    ),
    "arv_device_read_memory": (c_int, (c_void_p, c_uint64, c_uint32, c_void_p, _ERROR)),
    "arv_device_create_chunk_parser": (c_void_p, (c_void_p,)),
    "arv_device_create_stream": (c_void_p, (c_void_p, c_void_p, c_void_p, _ERROR)),
    "arv_chunk_parser_get_integer_value": (c_int64, (c_void_p, c_void_p, c_char_p, _ERROR)),
    "arv_gc_category_get_features": (POINTER(GSList), (c_void_p,)),
    "arv_gc_integer_get_min": (c_int64, (c_void_p, _ERROR)),
    "arv_gc_integer_get_max": (c_int64, (c_void_p, _ERROR)),
    "arv_gc_integer_get_inc": (c_int64, (c_void_p, _ERROR)),
    "arv_gc_integer_get_unit": (c_char_p, (c_void_p,)),
    "arv_gc_float_get_min": (c_double, (c_void_p, _ERROR)),
    "arv_gc_float_get_max": (c_double, (c_void_p, _ERROR)),
    "arv_gc_float_get_inc": (c_double, (c_void_p, _ERROR)),
    "arv_gc_float_get_unit": (c_char_p, (c_void_p,)),
    "arv_gc_category_get_type": (c_size_t, ()),
    "arv_gc_command_get_type": (c_size_t, ()),
    "arv_gc_boolean_get_type": (c_size_t, ()),
    "arv_gc_enumeration_get_type": (c_size_t, ()),
    "arv_gc_float_get_type": (c_size_t, ()),
    "arv_gc_integer_get_type": (c_size_t, ()),
    "arv_gc_string_get_type": (c_size_t, ()),
    "arv_stream_push_buffer": (None, (c_void_p, c_void_p)),
    "arv_stream_timeout_pop_buffer": (c_void_p, (c_void_p, c_uint64)),
    "arv_stream_get_n_infos": (c_uint32, (c_void_p,)),
    "arv_stream_get_info_name": (c_char_p, (c_void_p, c_uint32)),
    "arv_stream_get_info_uint64": (c_uint64, (c_void_p, c_uint32)),
    "arv_gv_stream_get_port": (c_uint16, (c_void_p,)),
    "arv_buffer_new_allocate": (c_void_p, (c_size_t,)),
    "arv_buffer_get_status": (c_int, (c_void_p,)),
    "arv_buffer_get_frame_id": (c_uint64, (c_void_p,)),
    "arv_buffer_set_frame_id": (None, (c_void_p, c_uint64)),
    "arv_buffer_get_timestamp": (c_uint64, (c_void_p,)),
    "arv_buffer_get_system_timestamp": (c_uint64, (c_void_p,)),
    "arv_buffer_get_data": (c_void_p, (c_void_p, POINTER(c_size_t))),
    "arv_buffer_get_image_width": (c_int, (c_void_p,)),
    "arv_buffer_get_image_height": (c_int, (c_void_p,)),
    "arv_buffer_get_image_pixel_format": (c_uint32, (c_void_p,)),
    "arv_buffer_get_image_padding": (None, (c_void_p, POINTER(c_int), POINTER(c_int))),
    "arv_buffer_get_payload_type": (c_int, (c_void_p,)),
    # GLib, which comes with it
    "g_clear_error": (None, (_ERROR,)),
    "g_quark_to_string": (c_char_p, (c_uint32,)),
    "g_free": (None, (c_void_p,)),
    "g_object_unref": (None, (c_void_p,)),
    "g_object_set_property": (None, (c_void_p, c_char_p, c_void_p)),
    "g_type_check_instance_is_a": (c_int, (c_void_p, c_size_t)),
    "g_inet_address_new_from_string": (c_void_p, (c_char_p,)),
    "g_value_init": (c_void_p, (c_void_p, c_size_t)),
    "g_value_set_int": (None, (c_void_p, c_int)),
    "g_value_set_uint": (None, (c_void_p, c_uint32)),
    "g_value_unset": (None, (c_void_p,)),
}
_NEWER: Final = frozenset({"arv_device_set_access_check_policy", "arv_buffer_get_image_padding"})
"""Functions that older libraries lack, and that may then do nothing."""
_LIBRARIES: Final = (_SONAME, "libgio-2.0.so.0", "libgobject-2.0.so.0", "libglib-2.0.so.0")
_G_TYPE_INT: Final = 6 << 2
_G_TYPE_UINT: Final = 7 << 2
_GONE: Final = frozenset({2, 4, 5})  # ArvDeviceError: NOT_CONNECTED, TRANSFER_ERROR, TIMEOUT


class AravisError(Exception):
    """What a function of libaravis says went wrong: its own message."""

    def __init__(self, domain: str, code: int, message: str) -> None:
        super().__init__(message)
        self.is_silence = domain == "arv-device-error-quark" and code in _GONE
        """The camera did not answer."""


class Library:
    """The functions named above, as attributes; those that can fail raise AravisError. None holds Python's lock."""

    def __init__(self) -> None:
        """Raises: OSError where the library, or a function in it, is missing."""
        loaded = [ctypes.CDLL(name) for name in _LIBRARIES]
        for name, (returns, takes) in _FUNCTIONS.items():
            setattr(self, name, self._declared(loaded, name, returns, takes))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} is not declared")

    def set_property(self, pointer: int, name: str, value: int, *, is_unsigned: bool = False) -> None:
        """Set a number that is a property of a GObject; GLib converts it to an enumeration where it is one."""
        holder = (c_uint64 * 3)()  # a GValue: its type, and two words
        self.g_value_init(holder, _G_TYPE_UINT if is_unsigned else _G_TYPE_INT)
        (self.g_value_set_uint if is_unsigned else self.g_value_set_int)(holder, value)
        self.g_object_set_property(pointer, name.encode(), holder)
        self.g_value_unset(holder)

    def _declared(self, loaded: list[ctypes.CDLL], name: str, returns: Any, takes: tuple[Any, ...]) -> Any:
        for library in loaded:
            function = getattr(library, name, None)
            if function is not None:
                function.restype, function.argtypes = returns, takes
                return (
                    self._raising(function) if takes and takes[-1] is _ERROR and name != "g_clear_error" else function
                )
        if name in _NEWER:
            return lambda *_: None
        raise OSError(f"{_SONAME} has no function {name}")

    def _raising(self, function: Any) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            error = POINTER(_GError)()
            value = function(*arguments, ctypes.byref(error))
            if not error:  # type: ignore[truthy-bool]  # a null pointer is false
                return value
            domain = self.g_quark_to_string(error.contents.domain) or b""
            said = AravisError(text(domain), error.contents.code, text(error.contents.message))
            self.g_clear_error(ctypes.byref(error))
            raise said

        return call


def text(value: bytes | None) -> str:
    """What a camera wrote about itself, which need not be UTF-8."""
    return (value or b"").decode(errors="replace").strip()


@cache
def library() -> Library:
    """Loaded at the first call. Raises: CameraConfigError where it is not installed."""
    try:
        return Library()
    except OSError as error:
        raise CameraConfigError(
            f"driver aravis needs libaravis, which cannot be loaded ({error}): apt install libaravis-0.8-0"
        ) from error
