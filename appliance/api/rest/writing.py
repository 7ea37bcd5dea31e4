"""Answers in TensorFlow Serving's JSON, with its layout: RapidJSON's pretty printing with lists on one line."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from appliance.api.rest.decimals import decimals
from appliance.api.rest.strings import KEY, quoted, to_base64
from appliance.api.rest.tensors import invalid
from appliance.dataplane.tensors import dtype_name, tensorflow_name
from appliance.runtimes.model import Array

_INDENT: Final = "    "
_BYTES_SUFFIX: Final = "_bytes"


def predictions(outputs: Mapping[str, Array]) -> str:
    """`predictions`: a row for each element of dimension 0. Raises: RequestError."""
    rows = _batch_size(outputs)
    if not rows:
        return _document("predictions", "[]")
    if len(outputs) == 1:
        alias, array = next(iter(outputs.items()))
        return _document("predictions", _one_line(_row_texts(alias, array, 2)))
    columns = [(quoted(alias.encode()), _row_texts(alias, array, 3)) for alias, array in outputs.items()]
    inner, outer = "\n" + _INDENT * 3, "\n" + _INDENT * 2
    objects = [
        outer + "{" + ",".join(f"{inner}{alias}: {texts[row]}" for alias, texts in columns) + outer + "}"
        for row in range(rows)
    ]
    return _document("predictions", "[" + ",".join(objects) + "\n" + _INDENT + "]")


def outputs_by_column(outputs: Mapping[str, Array]) -> str:
    """`outputs`: the value of the only one, or an object of all. Raises: RequestError."""
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if len(outputs) == 1:
        alias, array = next(iter(outputs.items()))
        return _document("outputs", _column_text(alias, array, 1))
    inner = "\n" + _INDENT * 2
    members = [f"{inner}{quoted(alias.encode())}: {_column_text(alias, array, 2)}" for alias, array in outputs.items()]
    return _document("outputs", "{" + ",".join(members) + "\n" + _INDENT + "}")


def classifications(examples: Sequence[Sequence[tuple[str, float]]]) -> str:
    """`results`: for each example its [label, score] pairs. Raises: RequestError."""
    if not examples:
        raise invalid("Cannot convert empty ClassificationResults to JSON")
    texts = []
    for classes in examples:
        scores = decimals(np.array([score for _, score in classes], np.float32))
        labels = [quoted(label.encode("utf-8", "surrogateescape")) for label, _ in classes]
        pairs = [f"[{label}, {score}]" for label, score in zip(labels, scores, strict=True)]
        texts.append("[" + ", ".join(pairs) + "]")
    return _document("results", _one_line(texts))


def regressions(values: Sequence[float]) -> str:
    """`results`: a number for each example. Raises: RequestError."""
    if not len(values):
        raise invalid("Cannot convert empty RegressionResults to JSON")
    return _document("results", "[" + ", ".join(decimals(np.array(values, np.float32))) + "]")


def error_text(text: str) -> str:
    """`error`, whatever bytes the text quotes: half a character is shown as U+FFFD, so that clients can read it."""
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _document("error", quoted(readable.encode()))


def _document(key: str, value: str) -> str:
    return f'{{\n{_INDENT}"{key}": {value}\n}}'


def _one_line(texts: Sequence[str]) -> str:
    """A list on one line, but for its closing bracket."""
    return "[" + ", ".join(texts) + "\n" + _INDENT + "]"


def _batch_size(outputs: Mapping[str, Array]) -> int:
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    size = -1
    for alias, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {alias} has no shape information ")
        if size not in {-1, array.shape[0]}:
            raise invalid(f"Tensor name: {alias} has inconsistent batch size: {array.shape[0]} expecting: {size}")
        size = array.shape[0]
    return size


def _row_texts(alias: str, array: Array, level: int) -> list[str]:
    """One text for each row; `level`: how deep a row stands in the document."""
    texts = _elements(alias, array, level + array.ndim - 1)
    for axis in reversed(range(1, array.ndim)):
        texts = _lists(texts, array.shape, axis, ("[", ", ", "]"))
    return texts


def _column_text(alias: str, array: Array, level: int) -> str:
    texts = _elements(alias, array, level + array.ndim)
    for axis in reversed(range(array.ndim)):
        outer, inner = "\n" + _INDENT * (level + axis), "\n" + _INDENT * (level + axis + 1)
        texts = _lists(texts, array.shape, axis, ("[" + inner, "," + inner, outer + "]"))
    return texts[0]


def _lists(texts: list[str], shape: Sequence[int], axis: int, marks: tuple[str, str, str]) -> list[str]:
    """Put the texts of an axis into lists, one for each element of the axes before it."""
    size, lists = shape[axis], math.prod(shape[:axis])
    if not size:
        return ["[]"] * lists
    begin, between, end = marks
    return [begin + between.join(texts[at : at + size]) + end for at in range(0, lists * size, size)]


def _elements(alias: str, array: Array, level: int) -> list[str]:
    kind = array.dtype.kind
    if kind == "f" and array.dtype.itemsize <= 8:
        return decimals(array)
    flat = array.ravel()
    if kind in "iu":
        return list(map(str, flat.tolist()))
    if kind == "b":
        return ["true" if value else "false" for value in flat.tolist()]
    if kind in "OS":
        return _strings(alias, flat.tolist(), level)
    raise invalid(f"Failed to write JSON value for tensor type: {tensorflow_name(dtype_name(array))}")


def _strings(alias: str, values: Sequence[bytes], level: int) -> list[str]:
    if not alias.endswith(_BYTES_SUFFIX):
        return [quoted(value) for value in values]
    before, behind = "\n" + _INDENT * (level + 1), "\n" + _INDENT * level
    return [f'{{{before}"{KEY}": "{to_base64(value)}"{behind}}}' for value in values]
