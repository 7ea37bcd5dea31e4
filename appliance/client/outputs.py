"""An answer, readable: each output's numbers, and the top classes where the classes' names are known."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from appliance.client.answer import Answer
from appliance.client.tables import table
from appliance.runtimes.model import STRING_DTYPE, Array, shown

_TOP: Final = 5
_SHOWN_VALUES: Final = 200
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one question brought, whichever way it went."""

    name: str
    version: int | None
    """None where the way does not tell it."""
    signature: str
    outputs: Mapping[str, Array]
    took_s: float
    classes: Sequence[str] = ()
    """Names of the model's classes; empty where nobody knows them."""


def answer(prediction: Prediction) -> Answer:
    """For the terminal and for a program."""
    tops = {alias: top for alias, array in prediction.outputs.items() if (top := _top(array, prediction.classes))}
    version = "" if prediction.version is None else f" version {prediction.version}"
    took_ms = prediction.took_s * 1000
    parts = [f"{prediction.name}{version}, {prediction.signature}, {took_ms:.1f} ms"]
    for alias, array in prediction.outputs.items():
        parts += ["", f"{alias}  {_dtype(array)}  {shown(array.shape)}", _values(array)]
        parts += [_classes_table(top) for top in tops.get(alias, [])]
    data = {
        "model": prediction.name,
        "version": prediction.version,
        "signature": prediction.signature,
        "outputs": {
            alias: {"dtype": _dtype(array), "shape": list(array.shape), "values": _plain(array.tolist())}
            for alias, array in prediction.outputs.items()
        },
        "top_classes": {
            alias: [[{"label": label, "score": score} for label, score in example] for example in top]
            for alias, top in tops.items()
        },
        "took_ms": round(took_ms, 3),
    }
    return Answer("\n".join(parts), data)


def _top(array: Array, classes: Sequence[str]) -> list[list[tuple[str, float]]]:
    """For each example its best classes, the best first; nothing where the output is no list of the classes' scores."""
    if not classes or array.dtype.kind != "f" or array.ndim not in {1, 2} or array.shape[-1] != len(classes):
        return []
    rows = np.atleast_2d(array)
    return [[(classes[place], float(row[place])) for place in np.argsort(-row, kind="stable")[:_TOP]] for row in rows]


def _classes_table(top: Sequence[tuple[str, float]]) -> str:
    return table(["class", "score"], [(label, f"{score:.4f}") for label, score in top])


def _values(array: Array) -> str:
    seen = _texts(array) if array.dtype == STRING_DTYPE else array
    with np.printoptions(threshold=_SHOWN_VALUES, linewidth=_WIDTH, suppress=True):
        return str(seen)


def _texts(array: Array) -> Array:
    made = np.empty(array.shape, object)
    made.ravel()[:] = [_plain(each) for each in array.ravel().tolist()]
    return made


def _plain(value: Any) -> Any:
    """JSON's: text where the bytes are UTF-8, base64 where they are not."""
    match value:
        case list():
            return [_plain(each) for each in value]
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return {"b64": base64.b64encode(value).decode()}
        case complex():
            return [value.real, value.imag]
        case _:
            return value


def _dtype(array: Array) -> str:
    return "string" if array.dtype == STRING_DTYPE else array.dtype.name
