"""The Open Inference Protocol's tensors: contents by type, or raw bytes."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from appliance.dataplane import Code, RequestError, varints
from appliance.dataplane.tensors import dtype_name, from_bytes
from appliance.runtimes.model import STRING_DTYPE, Array
from appliance.runtimes.wire import bytes_field

DATATYPES: Final = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    STRING_DTYPE: "BYTES",
}
"""numpy's dtype → the protocol's datatype."""
_DTYPES: Final = {datatype: dtype for dtype, datatype in DATATYPES.items()}
_CONTENTS: Final = {
    "BOOL": ("bool_contents", 1),
    "INT8": ("int_contents", 2),
    "INT16": ("int_contents", 2),
    "INT32": ("int_contents", 2),
    "INT64": ("int64_contents", 3),
    "UINT8": ("uint_contents", 4),
    "UINT16": ("uint_contents", 4),
    "UINT32": ("uint_contents", 4),
    "UINT64": ("uint64_contents", 5),
    "FP32": ("fp32_contents", 6),
    "FP64": ("fp64_contents", 7),
    "BYTES": ("bytes_contents", 8),
}
_DIMENSIONS_MAX: Final = 64
_LENGTH: Final = 4
"""Bytes before each element of raw BYTES: its length, little-endian."""


def arrays_of(request: Any) -> dict[str, Array]:
    """The inputs of a ModelInferRequest. Raises: RequestError (INVALID_ARGUMENT)."""
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise _invalid(f"{len(raw)} raw_input_contents for {len(request.inputs)} inputs; send one for each")
    arrays: dict[str, Array] = {}
    for index, tensor in enumerate(request.inputs):
        if tensor.name in arrays:
            raise _invalid(f"input {tensor.name!r} is there twice")
        if raw and tensor.HasField("contents"):
            raise _invalid(f"input {tensor.name!r} has contents beside raw_input_contents; send one of them")
        arrays[tensor.name] = _of_raw(tensor, raw[index]) if raw else _of_contents(tensor)
    return arrays


def needs_raw(outputs: Sequence[Array]) -> bool:
    """Whether there is one that contents cannot hold."""
    return any(dtype_name(array) == "float16" for array in outputs)


def datatype_of(array: Array) -> str:
    """Raises: RequestError (UNIMPLEMENTED)."""
    datatype = DATATYPES.get(dtype_name(array))
    if datatype is None:
        raise RequestError(
            Code.UNIMPLEMENTED, f"The Open Inference Protocol has no datatype for {dtype_name(array)}; use Predict."
        )
    return datatype


def raw_of(array: Array) -> bytes:
    """An array as raw_output_contents has it."""
    if dtype_name(array) != STRING_DTYPE:
        return array.tobytes()
    return b"".join([len(item).to_bytes(_LENGTH, "little") + item for item in array.ravel()])


def fill_contents(contents: Any, array: Array) -> None:
    """Into InferTensorContents."""
    datatype = datatype_of(array)
    field, number = _CONTENTS[datatype]
    match datatype:
        case "BYTES":
            getattr(contents, field).extend(array.ravel().tolist())
        case "FP32" | "FP64":
            contents.MergeFromString(bytes_field(number, array.tobytes()))
        case "BOOL":
            contents.MergeFromString(bytes_field(number, array.astype("uint8").tobytes()))
        case _:
            contents.MergeFromString(bytes_field(number, varints.encoded(array)))


def _of_raw(tensor: Any, content: bytes) -> Array:
    dtype, shape = _dtype(tensor), _shape(tensor)
    if dtype == STRING_DTYPE:
        return _strings(tensor.name, _split(tensor.name, content), shape)
    wanted = math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != wanted:
        raise _invalid(
            f"input {tensor.name!r} has {len(content)} bytes; {tensor.datatype} of {list(shape)} has {wanted}"
        )
    return _shaped(tensor.name, from_bytes(content, dtype), shape)


def _of_contents(tensor: Any) -> Array:
    dtype, shape = _dtype(tensor), _shape(tensor)
    if tensor.datatype not in _CONTENTS:
        raise _invalid(f"input {tensor.name!r}: {tensor.datatype} has no contents; send raw_input_contents")
    values = getattr(tensor.contents, _CONTENTS[tensor.datatype][0])
    if dtype == STRING_DTYPE:
        return _strings(tensor.name, list(values), shape)
    given = np.asarray(values)
    if given.size != math.prod(shape):
        raise _invalid(f"input {tensor.name!r} has {given.size} values; a shape of {list(shape)} has another number")
    array = given.astype(dtype, copy=False)
    if dtype.startswith(("int", "uint")) and not np.array_equal(array, given):
        raise _invalid(f"input {tensor.name!r} has values that {tensor.datatype} does not hold")
    return _shaped(tensor.name, array, shape)


def _dtype(tensor: Any) -> str:
    dtype = _DTYPES.get(tensor.datatype)
    if dtype is None:
        raise _invalid(f"input {tensor.name!r} has the datatype {tensor.datatype!r}; known are {', '.join(_DTYPES)}")
    return dtype


def _shape(tensor: Any) -> tuple[int, ...]:
    shape = tuple(tensor.shape)
    if len(shape) > _DIMENSIONS_MAX or any(size < 0 for size in shape):
        raise _invalid(f"input {tensor.name!r} has a shape that no tensor has: {list(shape)[:_DIMENSIONS_MAX]}")
    return shape


def _strings(name: str, items: list[bytes], shape: tuple[int, ...]) -> Array:
    if len(items) != math.prod(shape):
        raise _invalid(f"input {name!r} has {len(items)} values; a shape of {list(shape)} has another number")
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return _shaped(name, array, shape)


def _split(name: str, content: bytes) -> list[bytes]:
    items = []
    position = 0
    while position < len(content):
        start = position + _LENGTH
        position = start + int.from_bytes(content[position:start], "little")
        if start > len(content) or position > len(content):
            raise _invalid(f"input {name!r}: the raw bytes end within an element")
        items.append(content[start:position])
    return items


def _shaped(name: str, array: Array, shape: tuple[int, ...]) -> Array:
    try:
        return array.reshape(shape)
    except ValueError as error:  # of no elements, and yet larger than an address
        raise _invalid(f"input {name!r} has a shape that is too large: {list(shape)}") from error


def _invalid(message: str) -> RequestError:
    return RequestError(Code.INVALID_ARGUMENT, message)
