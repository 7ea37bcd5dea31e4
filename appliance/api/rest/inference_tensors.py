"""Tensors of the Open Inference Protocol: JSON lists, flat or nested, or bytes behind the JSON (binary tensor data)."""

import json
import math
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from appliance.api.rest.decimals import decimals
from appliance.api.rest.numbers import RANK_MAX, Numbers
from appliance.api.rest.reading import read
from appliance.api.rest.strings import from_base64, quoted, to_base64
from appliance.api.rest.tensors import array_of, invalid
from appliance.dataplane.tensors import dtype_name
from appliance.runtimes.model import STRING_DTYPE, Array

DATATYPES: Final = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64", "int8": "INT8",
    "int16": "INT16", "int32": "INT32", "int64": "INT64", "float16": "FP16", "float32": "FP32", "float64": "FP64",
    STRING_DTYPE: "BYTES",
}  # fmt: skip
"""numpy's dtype -> the protocol's."""
_DTYPES: Final = {datatype: dtype for dtype, datatype in DATATYPES.items()}
_ELEMENTS_MAX: Final = 2**63 - 1


def parts_of(body: bytes, json_length: str) -> tuple[dict[str, Any], bytes]:
    """The JSON of a request, and the bytes behind it. Raises: RequestError."""
    if not json_length:
        size = len(body)
    elif json_length.isascii() and json_length.isdigit() and len(json_length) < 16 and int(json_length) <= len(body):
        size = int(json_length)
    else:
        raise invalid(
            f"Inference-Header-Content-Length is {json_length[:40]!r}; it has to be the length of the JSON at the "
            f"beginning of the body, which has {len(body)} bytes."
        )
    document = read(body[:size])
    if not isinstance(document, dict):
        raise invalid("The request has to be a JSON object.")
    # names and parameters are few; only data stay as they were read
    head = {name: _plain(value) for name, value in document.items() if name != "inputs"}
    head["inputs"] = _inputs(document.get("inputs"))
    return head, body[size:]


def inputs_of(head: Mapping[str, Any], binary: bytes) -> dict[str, Array]:
    """One array per input. Raises: RequestError."""
    arrays: dict[str, Array] = {}
    at = 0
    for one in head["inputs"]:
        name, dtype, shape = _announced(one)
        parameters = one.get("parameters", {})
        size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
        if size is None:
            arrays[name] = _from_json(one, dtype, shape)
            continue
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(binary) - at:
            raise invalid(f"Input {name!r} has binary_data_size {size}, and {len(binary) - at} bytes are left.")
        arrays[name] = _from_bytes(name, binary[at : at + size], dtype, shape)
        at += size
    if at != len(binary):
        raise invalid(f"{len(binary) - at} bytes behind the JSON belong to no input; set binary_data_size.")
    return arrays


def answer_of(
    about: Mapping[str, Any], outputs: Mapping[str, Array], wanted: Mapping[str, Any], *, all_binary: bool
) -> tuple[bytes, int | None]:
    """The body of an answer, and the length of its JSON where bytes follow it."""
    tensors, binary = [], []
    for name, array in outputs.items():
        dtype = dtype_name(array)
        if dtype not in DATATYPES:
            raise invalid(f"Output {name!r} is {dtype}, for which the protocol has no datatype.")
        head = f'"name":{json.dumps(name)},"datatype":"{DATATYPES[dtype]}","shape":{json.dumps(list(array.shape))}'
        as_bytes = wanted.get(name)
        if (all_binary if as_bytes is None else as_bytes is True) or dtype == "float16":
            content = _to_bytes(array)
            binary.append(content)
            tensors.append(f'{{{head},"parameters":{{"binary_data_size":{len(content)}}}}}')
        else:
            tensors.append(f'{{{head},"data":[{",".join(_texts(array))}]}}')
    first = json.dumps(about)[:-1]
    text = f'{first}, "outputs":[{",".join(tensors)}]}}'.encode("utf-8", "surrogateescape")
    return b"".join([text, *binary]), len(text) if binary else None


def _inputs(given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise invalid("'inputs' has to be a list of objects with name, datatype, shape and data.")
    return [{key: value if key == "data" else _plain(value) for key, value in one.items()} for one in given]


def _plain(value: Any, depth: int = 0) -> Any:
    """Strings as text and lists as lists, for what is small; what is deep is not of this protocol."""
    if depth > 8:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Numbers):
        value = read(value.text, numbers_from=len(value.text) + 1)
    if isinstance(value, list):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one, depth + 1) for key, one in value.items()}
    return value


def _announced(one: Mapping[str, Any]) -> tuple[str, str, tuple[int, ...]]:
    name, datatype, shape = one.get("name"), one.get("datatype"), one.get("shape")
    if not isinstance(name, str):
        raise invalid("An input has no name.")
    if datatype not in _DTYPES:
        raise invalid(f"Input {name!r} has the datatype {datatype!r}; known are {', '.join(sorted(_DTYPES))}.")
    if (
        not isinstance(shape, list)
        or len(shape) > RANK_MAX
        or not all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in shape)
        or math.prod(shape) > _ELEMENTS_MAX
    ):
        raise invalid(f"Input {name!r} has no usable shape: a list of sizes from 0 on, such as [1, 224, 224, 3].")
    return name, _DTYPES[datatype], tuple(shape)


def _from_json(one: Mapping[str, Any], dtype: str, shape: tuple[int, ...]) -> Array:
    """`data`, flat in row-major order or nested."""
    name, data = one["name"], one.get("data")
    if not isinstance(data, list | Numbers):
        raise invalid(f"Input {name!r} has no data: a list, or bytes behind the JSON with binary_data_size.")
    if dtype == "float16":
        raise invalid(f"Input {name!r} is FP16, which has no JSON form; send it as binary tensor data.")
    array = array_of(data, dtype)
    parameters = one.get("parameters")
    if dtype == STRING_DTYPE and isinstance(parameters, dict) and parameters.get("content_type") == "base64":
        array = _decoded(name, array)
    return _shaped(name, array, shape)


def _decoded(name: str, array: Array) -> Array:
    made = np.empty(array.shape, object)
    flat = made.reshape(-1)
    for index, text in enumerate(array.ravel().tolist()):
        flat[index] = from_base64(text)
        if flat[index] is None:
            raise invalid(f"Input {name!r} holds text that is no base64.")
    return made


def _shaped(name: str, array: Array, shape: tuple[int, ...]) -> Array:
    if array.size != math.prod(shape):
        raise invalid(
            f"Input {name!r} has {array.size} elements, and its shape {list(shape)} asks for {math.prod(shape)}."
        )
    return array.reshape(shape)


def _from_bytes(name: str, content: bytes, dtype: str, shape: tuple[int, ...]) -> Array:
    if dtype == STRING_DTYPE:
        strings = _strings(name, content)
        made = np.empty(len(strings), object)
        made[:] = strings
        return _shaped(name, made, shape)
    wide = np.dtype(dtype).newbyteorder("<")
    if len(content) % wide.itemsize:
        raise invalid(f"Input {name!r} has {len(content)} bytes, which is no number of {wide.itemsize}-byte elements.")
    if dtype == "bool":
        return _shaped(name, np.frombuffer(content, np.uint8) != 0, shape)
    return _shaped(name, np.frombuffer(content, wide), shape)


def _strings(name: str, content: bytes) -> list[bytes]:
    """Each with its length before it, 4 bytes, little end first."""
    found, at = [], 0
    while at < len(content):
        if at + 4 > len(content):
            raise invalid(f"Input {name!r} ends within the length of a string.")
        (size,) = struct.unpack_from("<I", content, at)
        at += 4 + size
        if at > len(content):
            raise invalid(f"Input {name!r} ends within a string.")
        found.append(content[at - size : at])
    return found


def _to_bytes(array: Array) -> bytes:
    if array.dtype.kind in "OS":
        return b"".join([struct.pack("<I", len(one)) + one for one in array.ravel().tolist()])
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _texts(array: Array) -> list[str]:
    flat = array.ravel()
    if flat.dtype.kind == "f":
        return decimals(flat)
    if flat.dtype.kind == "b":
        return ["true" if one else "false" for one in flat.tolist()]
    if flat.dtype.kind in "OS":
        return [_text(one) for one in flat.tolist()]
    return list(map(str, flat.tolist()))


def _text(one: bytes) -> str:
    """As text where it is text; JSON has no other bytes, so those go as base64."""
    try:
        one.decode()
    except UnicodeDecodeError:
        return f'"{to_base64(one)}"'
    return quoted(one)
