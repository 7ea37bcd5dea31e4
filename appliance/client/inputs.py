"""What a person types becomes the array that the model takes."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import numpy as np

from appliance.client.errors import ClientError
from appliance.client.signatures import Shown, dtype_of, takes
from appliance.runtimes.model import STRING_DTYPE, Array, TensorSpec, fits, shown

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "b": (bool,),
    "i": (int,),
    "u": (int,),
    "f": (int, float),
    "c": (int, float, complex),
}
"""What Python values a numpy kind takes without loss of meaning."""


def arrays(signature: Shown, given: Mapping[str, str]) -> dict[str, Array]:
    """An array for each `name=value`; the names have been checked.

    A value is `1.0,2.0`, JSON such as `[[1, 2]]`, or `@file` (.npy, .json; for a string input any file).
    Raises: ClientError, which says what the model takes.
    """
    return {name: _array(signature.inputs[name], text) for name, text in given.items()}


def check_names(signature: Shown, given: AbstractSet[str]) -> None:
    """Raises: ClientError where an input is missing, or is none of the signature's."""
    unknown = sorted(given - signature.inputs.keys())
    missing = sorted(signature.inputs.keys() - given - signature.defaults.keys())
    if unknown or missing:
        wrong = f"has no input {', '.join(unknown)}" if unknown else f"needs {', '.join(missing)} as well"
        raise ClientError(f"Signature {signature.key} {wrong}; it takes {takes(signature)} (--input NAME=VALUE).")


def _array(spec: TensorSpec, text: str) -> Array:
    if text.startswith("@"):
        return _fitting(spec, _from_file(spec, Path(text[1:])))
    if text.lstrip().startswith(("[", "{")):
        return _fitting(spec, _from_json(spec, text, f"--input {spec.alias}"))
    return _poured(spec, _from_words(spec, text.split(",")))


def _from_file(spec: TensorSpec, file: Path) -> Array:
    try:
        if file.suffix == ".npy":
            return _of_dtype(spec, np.load(file, allow_pickle=False), file)
        if file.suffix == ".json":
            return _from_json(spec, file.read_text(encoding="utf-8"), str(file))
        if spec.dtype == STRING_DTYPE:
            return _poured(spec, _strings([file.read_bytes()]))
    except (OSError, ValueError) as error:
        raise ClientError(f"{file} cannot be read: {error}") from error
    raise ClientError(f"{file} is neither .npy nor .json, and {_wants(spec)}; a picture is given by --image.")


def _of_dtype(spec: TensorSpec, loaded: Array, file: Path) -> Array:
    if spec.dtype == STRING_DTYPE and loaded.dtype.kind in "SU":
        return _strings([_bytes(each) for each in loaded.ravel().tolist()]).reshape(loaded.shape)
    if loaded.dtype != spec.dtype:
        raise ClientError(f"{file} holds {loaded.dtype.name}, and {_wants(spec)}; save it as that.")
    return loaded


def _from_json(spec: TensorSpec, text: str, where: str) -> Array:
    try:
        value = json.loads(text)
        shape = _shape(value)
    except ValueError as error:
        raise ClientError(f"{where} is no JSON that holds an array: {error}") from error
    return _typed(spec, _leaves(value)).reshape(shape)


def _shape(value: Any) -> tuple[int, ...]:
    """Raises: ValueError where the lists are not regular."""
    if not isinstance(value, list):
        return ()
    shapes = {_shape(each) for each in value}
    if len(shapes) > 1:
        raise ValueError("its lists are not all of one length")
    return (len(value), *next(iter(shapes), ()))


def _leaves(value: Any) -> list[Any]:
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, list) else [value]


def _from_words(spec: TensorSpec, words: Sequence[str]) -> Array:
    if spec.dtype == STRING_DTYPE:
        return _strings([word.encode() for word in words])
    return _typed(spec, [_number(spec, word.strip()) for word in words])


def _number(spec: TensorSpec, word: str) -> Any:
    """What Python reads in it; the word itself where that is no number."""
    if spec.dtype == "bool":
        return {"true": True, "false": False}.get(word.lower(), word)
    found = _read(int, word)
    found = _read(float, word) if found is None else found
    found = _read(complex, word) if found is None else found
    return word if found is None else found


def _read(kind: Callable[[str], Any], word: str) -> Any:
    try:
        return kind(word)
    except ValueError:
        return None


def _typed(spec: TensorSpec, values: Sequence[Any]) -> Array:
    """Nothing is rounded or cut: 1.5 is no int, 300 no uint8, 1 no bool."""
    if spec.dtype == STRING_DTYPE:
        return _strings([_text(spec, value) for value in values])
    try:
        wanted = np.dtype(spec.dtype)
    except TypeError as error:
        raise ClientError(f"{_wants(spec)[:1].upper()}{_wants(spec)[1:]}, which cannot be typed here.") from error
    kinds = _KINDS[wanted.kind]
    for value in values:
        if not isinstance(value, kinds) or (isinstance(value, bool) and wanted.kind != "b"):
            raise ClientError(f"{value!r} does not fit: {_wants(spec)}.")
    try:
        return np.array(values, wanted)
    except OverflowError as error:
        raise ClientError(f"A value is out of range ({error}): {_wants(spec)}.") from error


def _text(spec: TensorSpec, value: Any) -> bytes:
    match value:
        case str():
            return value.encode()
        case {"b64": str(encoded), **others} if not others:
            try:
                return base64.b64decode(encoded, validate=True)
            except binascii.Error as error:
                raise ClientError(f"The b64 of input {spec.alias} is no base64: {error}") from error
        case _:
            raise ClientError(f"{value!r} does not fit: {_wants(spec)}.")


def _strings(values: Sequence[bytes]) -> Array:
    made = np.empty(len(values), object)
    made[:] = values
    return made


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _poured(spec: TensorSpec, flat: Array) -> Array:
    """A plain list takes the shape that the model wants: `1,2` is [[1], [2]] for [any, 1]."""
    if spec.shape is None:
        return flat
    free = [place for place, size in enumerate(spec.shape) if size is None]
    sizes = [1 if size is None else size for size in spec.shape]
    if free:
        sizes[free[-1] if len(free) > 1 else free[0]] = -1
    try:
        return flat.reshape(sizes)
    except ValueError as error:
        raise ClientError(f"{flat.size} value(s) do not fit: {_wants(spec)}.") from error


def _fitting(spec: TensorSpec, given: Array) -> Array:
    """One example is a batch of one; any other difference is told."""
    if spec.shape is None or fits(spec.shape, given.shape):
        return given
    if spec.shape[:1] == (None,) and fits(spec.shape[1:], given.shape):
        return given[np.newaxis]
    raise ClientError(f"Input {spec.alias} was given the shape {list(given.shape)}, and {_wants(spec)}.")


def _wants(spec: TensorSpec) -> str:
    return f"the model takes {spec.alias} as {dtype_of(spec)} {shown(spec.shape)}"
