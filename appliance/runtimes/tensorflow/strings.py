"""TensorFlow's string tensors: bytes of any length, seen in numpy as an object array of bytes."""

import ctypes
from typing import Any

import numpy as np

from appliance.runtimes.dtypes import STRING
from appliance.runtimes.errors import InvalidInput
from appliance.runtimes.model import Array
from appliance.runtimes.tensorflow.capi import Deallocator, TensorFlow

_TSTRING_BYTES = 24
"""sizeof(TF_TString), the same on every 64-bit platform."""

_lent: dict[int, tuple[TensorFlow, Any]] = {}
"""Memory that TensorFlow reads, by address; it tells us when it is done, from whatever thread."""


def tensor_of(tf: TensorFlow, given: Array, dims: Any) -> int:
    """Make a TF_Tensor* of `given`'s bytes. Raises: InvalidInput where an element is neither bytes nor str."""
    content = [_as_bytes(item) for item in given.ravel()]
    memory = ctypes.create_string_buffer(max(1, len(content)) * _TSTRING_BYTES)
    address = ctypes.addressof(memory)
    for index, item in enumerate(content):
        place = address + index * _TSTRING_BYTES
        tf.TF_StringInit(place)
        tf.TF_StringCopy(place, item, len(item))
    _lent[address] = (tf, memory)
    size = len(content) * _TSTRING_BYTES
    made: int = tf.TF_NewTensor(STRING, dims, given.ndim, address, size, _give_back, None)
    return made


def strings_of(tf: TensorFlow, made: int, shape: tuple[int, ...]) -> Array:
    """Copy a TF_Tensor* of strings into an object array of bytes."""
    result = np.empty(shape, dtype=object)
    flat = result.reshape(-1)
    address = tf.TF_TensorData(made)
    for index in range(flat.size):
        place = address + index * _TSTRING_BYTES
        flat[index] = ctypes.string_at(tf.TF_StringGetDataPointer(place), tf.TF_StringGetSize(place))
    return result


def _as_bytes(item: object) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item.encode()
    raise InvalidInput(f"a string input holds {type(item).__name__}; give bytes or text")


def _take_back(address: int, size: int, _: object) -> None:
    tf, _memory = _lent.pop(address)
    for place in range(address, address + size, _TSTRING_BYTES):
        tf.TF_StringDealloc(place)


_give_back = Deallocator(_take_back)
