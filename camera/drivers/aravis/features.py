"""The features of a camera that libaravis has opened, as camera.features wants them."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from camera.config.genicam import FeatureValue
from camera.drivers.aravis.library import AravisError, Library, text
from camera.errors import CameraLost
from camera.features import Description, FeatureRefused, Kind

_KINDS: Final[tuple[Kind, ...]] = ("command", "boolean", "enumeration", "float", "integer", "string")
"""In the order in which a node is asked what it is: an enumeration and a boolean are integers too."""


class AravisFeatures:
    """FeatureAccess of one device. Raises CameraLost instead of FeatureRefused where the camera does not answer.

    Threads: one. Cost: a packet or two and their answers, 0.3 ms on a quiet network.
    """

    def __init__(self, library: Library, device: int) -> None:
        """`device`: the ArvDevice; it stays its owner's."""
        self._library = library
        self._device = device
        self._types = {kind: getattr(library, f"arv_gc_{kind}_get_type")() for kind in _KINDS}

    def names(self) -> Sequence[str]:
        return tuple(dict.fromkeys(self._below("Root", depth=0)))

    def describe(self, name: str) -> Description | None:
        node = self._node(name)
        kind = self._kind(node) if node else None
        if kind is None:
            return None
        library = self._library
        with self._asking(name):
            if not library.arv_device_is_feature_available(self._device, name.encode()):
                raise FeatureRefused("it is not available as the camera is set now")
            if kind == "enumeration":
                return Description(kind, entries=self._entries(name))
            if kind == "integer":
                return Description(kind, *self._limits("integer", node), text(library.arv_gc_integer_get_unit(node)))
            if kind == "float":
                low, high, step = self._limits("float", node)
                # Where there is no increment, the library gives the smallest number that there is.
                step = step if step is not None and step > 1e-12 else None
                return Description(kind, low, high, step, text(library.arv_gc_float_get_unit(node)))
        return Description(kind)

    def read(self, name: str) -> FeatureValue:
        node = self._node(name)
        kind = self._kind(node) if node else None
        library, device, key = self._library, self._device, name.encode()
        with self._asking(name):
            match kind:
                case "boolean":
                    return bool(library.arv_device_get_boolean_feature_value(device, key))
                case "integer":
                    return int(library.arv_device_get_integer_feature_value(device, key))
                case "float":
                    return float(library.arv_device_get_float_feature_value(device, key))
                case "enumeration" | "string":
                    return text(library.arv_device_get_string_feature_value(device, key))
                case "command" | None:
                    pass
        raise FeatureRefused("there is nothing to read" if kind else "there is no such feature")

    def write(self, name: str, value: FeatureValue) -> None:
        library, device, key = self._library, self._device, name.encode()
        with self._asking(name):
            match value:
                case bool():
                    library.arv_device_set_boolean_feature_value(device, key, value)
                case int():
                    library.arv_device_set_integer_feature_value(device, key, value)
                case float():
                    library.arv_device_set_float_feature_value(device, key, value)
                case str():
                    library.arv_device_set_string_feature_value(device, key, value.encode())

    def execute(self, name: str) -> None:
        with self._asking(name):
            self._library.arv_device_execute_command(self._device, name.encode())

    def has(self, name: str) -> bool:
        """Whether there is such a feature, and it can be used as the camera is set now."""
        with self._asking(name):
            return bool(self._node(name) and self._library.arv_device_is_feature_available(self._device, name.encode()))

    def entries(self, name: str) -> tuple[str, ...]:
        """What may be chosen of an enumeration now; nothing where there is none of that name."""
        if not self._node(name):
            return ()
        with self._asking(name):
            return self._entries(name)

    def _limits(self, kind: Kind, node: int | None) -> tuple[float | None, float | None, float | None]:
        """Minimum, maximum, increment."""
        low, high, step = (self._limit(f"arv_gc_{kind}_get_{limit}", node) for limit in ("min", "max", "inc"))
        return low, high, step

    def _limit(self, function: str, node: int | None) -> float | None:
        """None where the camera's description leaves it out."""
        try:
            limit: float = getattr(self._library, function)(node)
        except AravisError as error:
            if error.is_silence:
                raise
            return None
        return limit

    def _entries(self, name: str) -> tuple[str, ...]:
        count = ctypes.c_uint32()
        array = self._library.arv_device_dup_available_enumeration_feature_values_as_strings(
            self._device, name.encode(), ctypes.byref(count)
        )
        try:
            strings = ctypes.cast(array, ctypes.POINTER(ctypes.c_char_p))
            return tuple(text(strings[number]) for number in range(count.value))
        finally:
            self._library.g_free(array)

    def _node(self, name: str) -> int | None:
        node: int | None = self._library.arv_device_get_feature(self._device, name.encode())
        return node

    def _kind(self, node: int) -> Kind | None:
        is_a = self._library.g_type_check_instance_is_a
        return next((kind for kind in _KINDS if is_a(node, self._types[kind])), None)

    def _below(self, category: str, depth: int) -> Iterator[str]:
        """The names in this category and in those within it; a description that loops ends at some depth."""
        node = self._node(category)
        if not node or depth > 8:
            return
        if not self._library.g_type_check_instance_is_a(node, self._library.arv_gc_category_get_type()):
            yield category
            return
        entry = self._library.arv_gc_category_get_features(node)
        while entry:
            yield from self._below(text(ctypes.string_at(entry.contents.data)), depth + 1)
            entry = entry.contents.next

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        try:
            yield
        except AravisError as error:
            if error.is_silence:
                raise CameraLost(f"the camera did not answer about its feature {name}: {error}") from error
            raise FeatureRefused(str(error)) from error
