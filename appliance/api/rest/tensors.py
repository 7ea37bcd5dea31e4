"""From the JSON of a Predict request to arrays, with TensorFlow Serving's rules and words (util/json_tensor.cc).

A list of numbers that came as `Numbers` becomes an array in one step; everything else goes value by value, which is
also how every error gets its text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from appliance.api.rest.fragment import kind_of, shown
from appliance.api.rest.numbers import RANK_MAX, Numbers
from appliance.api.rest.reading import read
from appliance.api.rest.strings import KEY, from_base64, is_base64
from appliance.dataplane import Code, RequestError
from appliance.dataplane.tensors import tensorflow_name
from appliance.runtimes.model import STRING_DTYPE, Array, TensorSpec

_FLOATS: Final = ("float32", "float64")


@dataclass(frozen=True, slots=True)
class Filled:
    """What a request gives the model."""

    inputs: Mapping[str, Array]
    by_rows: bool
    """It came as `instances`, and wants `predictions`."""


def arrays_of(document: Mapping[str, Any], specs: Mapping[str, TensorSpec]) -> Filled:
    """Read `instances` or `inputs`, whichever is there. Raises: RequestError."""
    if "instances" not in document:
        if "inputs" not in document:
            raise invalid("Missing 'inputs' or 'instances' key")
        return Filled(_columns(document["inputs"], specs), by_rows=False)
    if "inputs" in document:
        raise _format(document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ")
    instances = document["instances"]
    if not isinstance(instances, list | Numbers):
        raise _format(document, "Expecting 'instances' to be an list/array")
    if isinstance(instances, list) and not instances:
        raise _format(document, "No values in 'instances' array")
    return Filled(_rows(instances, specs), by_rows=True)


def invalid(text: str) -> RequestError:
    return RequestError(Code.INVALID_ARGUMENT, text)


def _format(document: Mapping[str, Any], what: str) -> RequestError:
    return invalid(f"JSON Value: {shown(document)} {what}")


def _columns(value: Any, specs: Mapping[str, TensorSpec]) -> dict[str, Array]:
    if isinstance(value, dict) and not is_base64(value):
        made = {}
        for alias, spec in specs.items():
            if alias not in value:
                raise invalid(f"Missing named input: {alias} in 'inputs' object.")
            made[alias] = array_of(value[alias], spec.dtype)
        return made
    if len(specs) > 1:
        raise invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
            "tensorinfo_map"
        )
    alias, spec = next(iter(specs.items()))
    return {alias: array_of(value, spec.dtype)}


def _rows(instances: list[Any] | Numbers, specs: Mapping[str, TensorSpec]) -> dict[str, Array]:
    if isinstance(instances, Numbers) and len(specs) == 1:
        alias, spec = next(iter(specs.items()))
        made = instances.array(spec.dtype)
        if made is not None:
            return {alias: made}
    rows = lists_of(instances)
    if not isinstance(rows[0], dict) and len(specs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    named = _is_named(rows[0])
    fill = _named_row if named else _plain_row
    stacks = {alias: _Stack() for alias in specs}
    for number, row in enumerate(rows):
        if _is_named(row) is not named:
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {got} at item {number} of input list")
        fill(row, number, specs, stacks)
    return {alias: stack.array(specs[alias].dtype) for alias, stack in stacks.items() if stack.rows}


def _is_named(row: Any) -> bool:
    return isinstance(row, dict) and not is_base64(row)


def _named_row(
    row: dict[str, Any], number: int, specs: Mapping[str, TensorSpec], stacks: Mapping[str, "_Stack"]
) -> None:
    try:
        for alias, value in row.items():
            if alias not in specs:
                raise invalid(f"JSON object: does not have named input: {alias}")
            stacks[alias].add(value, specs[alias].dtype)
    except RequestError as error:
        raise invalid(
            f"Failed to process element: {number} key: {alias} of 'instances' list. Error: {_status(error)}"
        ) from error
    if row.keys() != specs.keys():
        raise invalid(
            f"Failed to process element: {number} of 'instances' list. JSON object: {shown(row)} keys must be equal "
            f"to: {','.join(sorted(specs))}"
        )


def _plain_row(row: Any, number: int, specs: Mapping[str, TensorSpec], stacks: Mapping[str, "_Stack"]) -> None:
    alias = next(iter(specs))
    try:
        stacks[alias].add(row, specs[alias].dtype)
    except RequestError as error:
        raise invalid(f"Failed to process element: {number} of 'instances' list. Error: {_status(error)}") from error


def _status(error: RequestError) -> str:
    return f"{error.code.name}: {error}"


class _Stack:
    """The rows of one tensor; all of one shape."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._shape: tuple[int, ...] = ()
        self._converted = True

    def add(self, value: Any, dtype: str) -> None:
        """Take one row: an array, or a single element. Raises: RequestError."""
        if isinstance(value, list | Numbers):
            row: Any = array_of(value, dtype)
            shape = row.shape
        else:
            row, shape = converter(dtype)(value), ()
        if not self.rows:
            self._shape = shape
        elif _count(shape) != _count(self._shape):
            raise invalid(f"Expecting tensor size: {_count(self._shape)} but got: {_count(shape)}")
        elif shape != self._shape:
            raise invalid(f"Expecting shape {_listed(self._shape)} but got: {_listed(shape)}")
        self.rows.append(row)

    def array(self, dtype: str) -> Array:
        """All rows, one behind the other."""
        if self._shape:
            stacked: Array = np.stack(self.rows)
            return stacked
        return _typed(self.rows, dtype)


def _count(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=object))


def _listed(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def array_of(value: Any, dtype: str) -> Array:
    """One tensor from nested lists, or from a single value. Raises: RequestError."""
    if isinstance(value, Numbers):
        made = value.array(dtype)
        if made is not None:
            return made
        value = lists_of(value)
    shape = _dense_shape(value)
    elements: list[Any] = []
    _collect(value, 0, shape, converter(dtype), elements)
    return _typed(elements, dtype).reshape(shape)


def lists_of(value: list[Any] | Numbers) -> list[Any]:
    """The lists that `Numbers` stands for. Raises: RequestError where there are too many values."""
    if isinstance(value, list):
        return value
    lists: list[Any] = read(value.text, numbers_from=len(value.text) + 1)
    return lists


def _dense_shape(value: Any) -> tuple[int, ...]:
    """What the first elements promise; whether the others keep it is seen later."""
    shape: list[int] = []
    while isinstance(value, list | Numbers):
        if isinstance(value, Numbers):
            shape.extend(value.shape)
            break
        shape.append(len(value))
        if not value:
            break
        value = value[0]
        if len(shape) > RANK_MAX:
            raise invalid(f"The list is nested deeper than {RANK_MAX} levels; tensors have fewer dimensions.")
    return tuple(shape)


def _collect(
    value: Any, level: int, shape: tuple[int, ...], convert: Callable[[Any], Any], elements: list[Any]
) -> None:
    """Add the converted elements of `value`, checking that it is regular; never deeper than the rank."""
    rank = len(shape)
    if isinstance(value, Numbers):
        value = lists_of(value)
    if not isinstance(value, list):
        if level != rank:
            raise invalid(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {rank}"
            )
        elements.append(convert(value))
        return
    if level >= rank:
        raise invalid(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _collect(item, level + 1, shape, convert, elements)


def converter(dtype: str) -> Callable[[Any], Any]:
    """What makes one element of a JSON value, or raises RequestError."""
    if dtype in _FLOATS:
        return lambda value: _float(value, dtype)
    if dtype == "bool":
        return _bool
    if dtype == STRING_DTYPE:
        return _bytes
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        low, high = int(limits.min), int(limits.max)
        return lambda value: _integer(value, dtype, low, high)
    return lambda value: _unsupported(value, dtype)


def _typed(elements: list[Any], dtype: str) -> Array:
    if dtype == STRING_DTYPE:
        made: Array = np.empty(len(elements), object)
        made[:] = elements
        return made
    with np.errstate(over="ignore"):
        return np.array(elements, np.float64 if dtype in _FLOATS else dtype).astype(dtype)


def _float(value: Any, dtype: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _type_error(value, dtype)
    return float(value)


def _integer(value: Any, dtype: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _type_error(value, dtype)
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _type_error(value, "bool")
    return value


def _bytes(value: Any) -> bytes:
    if isinstance(value, dict):
        return base64_bytes(value)
    if not isinstance(value, bytes):
        raise _type_error(value, STRING_DTYPE)
    return value


def base64_bytes(value: dict[str, Any]) -> bytes:
    """The content of {"b64": ...}. Raises: RequestError."""
    if not is_base64(value):
        raise invalid(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    content = from_base64(value[KEY])
    if content is None:
        raise invalid("Unable to base64 decode")
    return content


def _unsupported(value: Any, dtype: str) -> Any:
    if isinstance(value, dict):
        raise _type_error(value, dtype)
    raise RequestError(
        Code.UNIMPLEMENTED, f"Conversion of JSON Value: {shown(value)} to type: {tensorflow_name(dtype)}"
    )


def _type_error(value: Any, dtype: str) -> RequestError:
    return invalid(
        f"JSON Value: {shown(value)} Type: {kind_of(value)} is not of expected type: {tensorflow_name(dtype)}"
    )
