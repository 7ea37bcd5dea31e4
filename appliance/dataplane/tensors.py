"""Arrays as tensorflow.TensorProto, and back: what TensorFlow's Tensor::FromProto and AsProtoField do, in numpy.

A shape costs its sender a few bytes and us its whole size, so what the bytes do not back is bounded.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from appliance.dataplane import varints
from appliance.dataplane.errors import Code, RequestError
from appliance.protos import message
from appliance.runtimes.dtypes import numpy_name, tensorflow_number
from appliance.runtimes.model import STRING_DTYPE, Array
from appliance.runtimes.wire import bytes_field, varint_field

FILLED_MAX_BYTES: Final = 256 << 20
"""How large a tensor may become by repeating the last value, or zero, of a shorter list."""
_DIMENSIONS_MAX: Final = 64
"""numpy's; TensorFlow stops at 254."""
_ELEMENTS_MAX: Final = 2**63 - 1
_STRING_BYTES: Final = 24
"""What TensorFlow takes for a string beside its bytes."""

_FIELDS: Final[dict[str, tuple[str, int, str]]] = {
    "float32": ("float_val", 5, "float32"),
    "float64": ("double_val", 6, "float64"),
    "int32": ("int_val", 7, "int32"),
    "uint8": ("int_val", 7, "int32"),
    "int16": ("int_val", 7, "int32"),
    "int8": ("int_val", 7, "int32"),
    "uint16": ("int_val", 7, "int32"),
    STRING_DTYPE: ("string_val", 8, STRING_DTYPE),
    "complex64": ("scomplex_val", 9, "float32"),
    "int64": ("int64_val", 10, "int64"),
    "bool": ("bool_val", 11, "bool"),
    "complex128": ("dcomplex_val", 12, "float64"),
    "float16": ("half_val", 13, "int32"),
    "uint32": ("uint32_val", 16, "uint32"),
    "uint64": ("uint64_val", 17, "uint64"),
}
"""Where TensorProto keeps the values of a numpy dtype: field, its number, and what numpy makes of it."""
_CONTENT: Final = 4
_KEPT: Final = 256
_NAMES: Final = {
    "float32": "float",
    "float64": "double",
    "float16": "half",
    STRING_DTYPE: "string",
}
_NOT_HERE: Final = {14: "bfloat16", 20: "resource", 21: "variant"}


def tensorflow_name(dtype: str) -> str:
    """What TensorFlow's messages call a numpy dtype: `float`, `string`, `int32`."""
    return _NAMES.get(dtype, dtype)


def dtype_name(array: Array) -> str:
    """An array's dtype as a TensorSpec names it: `object` for bytes of any length."""
    return _dtype_name(array.dtype)


@lru_cache(maxsize=_KEPT)
def _dtype_name(dtype: "np.dtype[Any]") -> str:
    """What numpy would make anew each time, in Python."""
    return STRING_DTYPE if dtype.kind in "OSU" else dtype.name


def from_bytes(content: bytes, dtype: str) -> Array:
    """A flat array over raw bytes, shared and read-only; a truth value is true unless its byte is 0."""
    return np.frombuffer(content, "uint8") != 0 if dtype == "bool" else np.frombuffer(content, dtype)


def array_of(proto: Any) -> Array:
    """The array that a TensorProto describes; it may share the message's memory, and then is read-only.

    Costs a copy at most, except for strings. Raises: RequestError: INVALID_ARGUMENT for what TensorFlow could not read
    either, UNIMPLEMENTED for element types that numpy lacks, RESOURCE_EXHAUSTED for a shape far larger than its values.
    """
    dtype = _dtype(proto.dtype)
    shape, count = _shape(proto)
    if dtype == STRING_DTYPE:
        return _strings(proto, shape, count)
    wanted = np.dtype(dtype)
    if count * wanted.itemsize > _ELEMENTS_MAX:
        raise _invalid(f"a shape of {list(shape)} has too many elements")
    if count == 0:
        return _shaped(np.empty(0, wanted), shape)
    content = proto.tensor_content
    if content:
        if len(content) != count * wanted.itemsize:
            raise _invalid(f"{len(content)} bytes of content for {count * wanted.itemsize} of shape {list(shape)}")
        return from_bytes(content, dtype).reshape(shape)
    return _filled(_values(proto, dtype), wanted, count).reshape(shape)


def tensor_proto_of(array: Array, *, as_content: bool = False) -> Any:
    """A TensorProto with an array's values: in the field of its type, or as raw bytes. Raises: RequestError."""
    return message("tensorflow.TensorProto").FromString(encoded(array, as_content=as_content))


def encoded(array: Array, *, as_content: bool = False) -> bytes:
    """A serialized TensorProto, without the message: about as fast as copying. Raises: RequestError (UNIMPLEMENTED)."""
    dtype = dtype_name(array)
    if dtype not in _FIELDS:
        raise RequestError(Code.UNIMPLEMENTED, f"An output of numpy's type {dtype} has no place in a TensorProto.")
    head = _head(dtype, array.shape)
    if array.size == 0:
        return head
    if dtype == STRING_DTYPE:
        return head + _encoded_strings([_as_bytes(item) for item in array.ravel()], as_content=as_content)
    if as_content:
        return head + bytes_field(_CONTENT, array.tobytes())
    return head + bytes_field(_FIELDS[dtype][1], _packed(array, dtype))


@lru_cache(maxsize=_KEPT)
def _head(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Type and shape, serialized."""
    dims = b"".join([bytes_field(2, varint_field(1, size) if size else b"") for size in shape])
    return varint_field(1, tensorflow_number(dtype)) + bytes_field(2, dims)


def _dtype(number: int) -> str:
    if number == 0:
        raise _invalid("the tensor has no dtype")
    if number in _NOT_HERE:
        raise RequestError(Code.UNIMPLEMENTED, f"tensors of type {_NOT_HERE[number]} are not supported here")
    name = numpy_name(number)
    if name is None or number > 100:  # DT_FLOAT_REF and its like are never sent
        raise _invalid(f"no tensor can be of type {number}")
    return name


def _shape(proto: Any) -> tuple[tuple[int, ...], int]:
    """The shape and its number of elements, which fits 63 bits."""
    shape = tuple([dim.size for dim in proto.tensor_shape.dim])
    if len(shape) > _DIMENSIONS_MAX:
        raise _invalid(f"{len(shape)} dimensions are more than {_DIMENSIONS_MAX}")
    count = 1
    for size in shape:
        if size < 0:
            raise _invalid(f"a dimension of {size} elements")
        count *= size
        if count > _ELEMENTS_MAX:
            raise _invalid(f"a shape of {list(shape)} has too many elements")
    return shape, count


def _values(proto: Any, dtype: str) -> Array:
    field, _, read_as = _FIELDS[dtype]
    values = np.asarray(getattr(proto, field), dtype=read_as)
    match dtype:
        case "complex64" | "complex128":
            return values[: values.size // 2 * 2].view(dtype)
        case "float16":
            return values.astype("uint16").view(dtype)
        case _:
            return values.astype(dtype, copy=False)


def _filled(values: Array, wanted: "np.dtype[Any]", count: int) -> Array:
    if values.size >= count:
        return values[:count]
    if count * wanted.itemsize > FILLED_MAX_BYTES:
        raise _too_large(count * wanted.itemsize, values.size, count)
    if values.size == 0:
        return np.zeros(count, wanted)
    filled = np.empty(count, wanted)
    filled[: values.size] = values
    filled[values.size :] = values[-1]
    return filled


def _strings(proto: Any, shape: tuple[int, ...], count: int) -> Array:
    content = proto.tensor_content
    if count and content:
        given: Sequence[bytes] = _strings_in(content, count)
    else:
        given = proto.string_val[:count]
    missing = count - len(given)
    last = given[-1] if given else b""
    if missing * (_STRING_BYTES + len(last)) > FILLED_MAX_BYTES:
        raise _too_large(missing * (_STRING_BYTES + len(last)), len(given), count)
    array = np.empty(count, dtype=object)
    array[: len(given)] = given
    array[len(given) :] = last
    return _shaped(array, shape)


def _strings_in(content: bytes, count: int) -> list[bytes]:
    """TensorFlow's own form of a list of strings: all lengths, then all bytes."""
    if count > len(content):
        raise _invalid(f"{len(content)} bytes of content for {count} strings")
    found = varints.decoded(content, count)
    if found is None or sum(found[0]) != len(content) - found[1]:
        raise _invalid(f"the content does not hold {count} strings")
    sizes, position = found
    strings = []
    for size in sizes:
        strings.append(content[position : position + size])
        position += size
    return strings


def _shaped(array: Array, shape: tuple[int, ...]) -> Array:
    try:
        return array.reshape(shape)
    except ValueError as error:  # of no elements, and yet larger than an address
        raise _invalid(f"a shape of {list(shape)} is too large") from error


def _packed(array: Array, dtype: str) -> bytes:
    match dtype:
        case "float32" | "float64" | "complex64" | "complex128":
            return array.tobytes()
        case "bool":
            return array.view("uint8").tobytes() if array.flags.c_contiguous else array.astype("uint8").tobytes()
        case "float16":
            return varints.encoded(np.ascontiguousarray(array).view("uint16"))
        case _:
            return varints.encoded(array)


def _encoded_strings(items: list[bytes], *, as_content: bool) -> bytes:
    if as_content:
        sizes = varints.encoded(np.array([len(item) for item in items], dtype="uint32"))
        return bytes_field(_CONTENT, sizes + b"".join(items))
    return b"".join([bytes_field(_FIELDS[STRING_DTYPE][1], item) for item in items])


def _as_bytes(item: object) -> bytes:
    return item if isinstance(item, bytes) else str(item).encode()


def _invalid(why: str) -> RequestError:
    return RequestError(Code.INVALID_ARGUMENT, why)


def _too_large(size: int, given: int, count: int) -> RequestError:
    return RequestError(
        Code.RESOURCE_EXHAUSTED,
        f"a shape of {count} elements with {given} values would take {size} bytes; send the values, or at most "
        f"{FILLED_MAX_BYTES} bytes by repetition",
    )
