"""Regular nested lists of numbers, read at simdjson's speed: what a tensor in a request nearly always is.

A 224x224x3 picture is 3 MB of text. Its shape is found from its brackets and commas alone: for a given shape there is
exactly one sequence of them.
"""

from typing import Any, Final

import numpy as np
import simdjson

from appliance.runtimes.model import Array

RANK_MAX: Final = 64
"""NumPy's; TensorFlow's is 254."""
_NO_STRUCTURE: Final = b"0123456789+-.eE \t\r\n"
_KEPT_BYTES: Final = 8 << 20
_KEPT: Final = 2
_kept: list[Any] = []
"""Parsers with their memory, for the next text: getting it anew from the system takes as long as parsing."""


class Numbers:
    """One such list, of at least one number; its element type is chosen by who asks for the array."""

    __slots__ = ("_elements", "_floats", "_parser", "shape", "text")

    def __init__(self, text: bytes, shape: tuple[int, ...], parser: Any, elements: Any, floats: Array) -> None:
        """Made by `numbers_of`."""
        self.text = text
        self.shape = shape
        self._parser = parser
        self._elements = elements
        self._floats = floats

    def __del__(self) -> None:
        """A parser is free when nothing of its text is held any more."""
        self._elements = None
        _keep(self._parser, len(self.text))

    def array(self, dtype: str) -> Array | None:
        """Every number as `dtype`; None where one of them does not fit, or where it is no type of numbers.

        A whole number may become a float, never the other way round, and nothing wraps around.
        """
        kind = np.dtype(dtype)
        if kind.kind == "f" and kind.itemsize >= 4:
            with np.errstate(over="ignore"):
                return self._floats.astype(kind).reshape(self.shape)
        if kind.kind not in "iu":
            return None
        try:
            buffer = self._elements.as_buffer(of_type=kind.kind)
        except (TypeError, ValueError):
            return None
        wide = np.frombuffer(buffer, np.int64 if kind.kind == "i" else np.uint64)
        limits = np.iinfo(kind)
        if wide.min() < limits.min or wide.max() > limits.max:
            return None
        return wide.astype(kind).reshape(self.shape)


def numbers_of(text: bytes) -> Numbers | None:
    """Read a JSON list; None where it is not JSON, not regular, empty, or holds anything but numbers."""
    try:
        parser = _kept.pop()
    except IndexError:
        parser = simdjson.Parser()
    try:
        elements: Any = parser.parse(text)
        floats = np.frombuffer(elements.as_buffer(of_type="d"), np.float64)
    except (ValueError, TypeError, RuntimeError):
        return None
    shape = shape_of(text.translate(None, _NO_STRUCTURE), floats.size)
    return None if shape is None else Numbers(text, shape, parser, elements, floats)


def _keep(parser: Any, text_bytes: int) -> None:
    if text_bytes <= _KEPT_BYTES and len(_kept) < _KEPT:
        _kept.append(parser)


def shape_of(structure: bytes, count: int) -> tuple[int, ...] | None:
    """The shape of a list of which only brackets and commas are left, with `count` numbers; None: it is not regular."""
    rank = len(structure) - len(structure.lstrip(b"["))
    if not 0 < rank <= RANK_MAX:
        return None
    size = structure.find(b"]") - rank + 1
    expected = b"[" + b"," * (size - 1) + b"]"
    shape = [size]
    for level in range(1, rank):
        # the first place where so many lists end at once is where the first list of this level ends
        end = structure.find(b"]" * (level + 1)) + level
        size, rest = divmod(end - (rank - 1 - level), len(expected) + 1)
        if end < level or rest or size < 1:
            return None
        expected = b"[" + b",".join([expected] * size) + b"]"
        shape.append(size)
    if expected != structure or int(np.prod(shape, dtype=object)) != count:
        return None
    return tuple(reversed(shape))
