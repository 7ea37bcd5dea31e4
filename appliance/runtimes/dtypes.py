"""TensorFlow's element types and numpy's."""

from typing import Final

STRING: Final = 7

_NUMPY: Final = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    STRING: "object",
    8: "complex64",
    9: "int64",
    10: "bool",
    17: "uint16",
    18: "complex128",
    19: "float16",
    22: "uint32",
    23: "uint64",
}
_TENSORFLOW: Final = {name: number for number, name in _NUMPY.items()}
_REFERENCE: Final = 100  # DT_FLOAT_REF is DT_FLOAT + 100: the same values, seen through a variable of TensorFlow 1


def numpy_name(number: int) -> str | None:
    """The numpy dtype's name for a DataType, `object` for strings; None where numpy has none."""
    return _NUMPY.get(number - _REFERENCE if number > _REFERENCE else number)


def tensorflow_number(name: str) -> int:
    """The DataType for a numpy dtype's name. Raises: KeyError."""
    return _TENSORFLOW[name]


def tensorflow_name(name: str) -> str:
    """What TensorFlow's messages call a numpy dtype: `float` for float32, `string` for object."""
    return _SAID.get(name, name)


_SAID: Final = {"float32": "float", "float64": "double", "float16": "half", "object": "string"}
