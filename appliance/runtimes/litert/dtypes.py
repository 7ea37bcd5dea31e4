"""LiteRT's element types and numpy's."""

from typing import Final

NUMPY: Final = {
    1: "float32",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    8: "complex64",
    9: "int8",
    10: "float16",
    11: "float64",
    12: "complex128",
    13: "uint64",
    16: "uint32",
    17: "uint16",
}
LITERT: Final = {name: number for number, name in NUMPY.items()}
