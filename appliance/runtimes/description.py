"""What a version directory says of itself, read without TensorFlow: its signatures and its inspection page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.runtimes.dtypes import numpy_name
from appliance.runtimes.errors import NotASavedModel
from appliance.runtimes.model import Signature, TensorSpec
from appliance.runtimes.wire import BYTES, VARINT, WireError, fields, signed

SERVE_TAGS = ("serve",)
_METADATA_BYTES_MAX = 4 << 20
_METADATA = Path("assets.extra") / "inspection.json"
_GRAPH = "saved_model.pb"


@dataclass(frozen=True, slots=True)
class Description:
    """A SavedModel's outside."""

    signatures: Mapping[str, Signature]
    left_out: Mapping[str, str]
    """Signatures that cannot be called here, and why."""
    signature_defs: Mapping[str, bytes]
    """Every signature, serialized as the SavedModel has it."""
    metadata: Mapping[str, Any]
    """The version's `assets.extra/inspection.json`; empty where it has none."""
    tags: tuple[str, ...]
    written_by: str
    """The version of TensorFlow that wrote it, such as `2.21.0`."""


def describe(folder: Path, tags: tuple[str, ...] = SERVE_TAGS) -> Description:
    """Read the signatures of the graph that carries exactly `tags`. Milliseconds; the graph itself is stepped over.

    Raises: NotASavedModel, OSError.
    """
    file = folder / _GRAPH
    if not folder.is_dir():
        raise NotASavedModel(f"{folder} is no directory; place the version's files there")
    if not file.is_file():
        raise NotASavedModel(f"{folder} is not a SavedModel: it has no {_GRAPH}; export the model again")
    try:
        graphs = _saved_model(memoryview(file.read_bytes()))
    except (WireError, UnicodeDecodeError) as error:
        raise NotASavedModel(f"{file} is damaged ({error}); copy or export the model again") from error
    for graph in graphs:
        if set(graph.tags) == set(tags):
            return Description(
                graph.signatures,
                graph.left_out,
                graph.signature_defs,
                metadata_of(folder),
                graph.tags,
                graph.written_by,
            )
    have = " | ".join("+".join(graph.tags) or "(no tags)" for graph in graphs) or "no graph at all"
    raise NotASavedModel(f"{file} has no graph tagged {'+'.join(tags)}; it has {have}")


def signature_from(key: str, definition: memoryview) -> Signature:
    """Read a serialized SignatureDef. Raises: WireError, also where it cannot be called here."""
    try:
        return _signature(key, definition)
    except _NotCallable as error:
        raise WireError(str(error)) from error


def metadata_of(folder: Path) -> Mapping[str, Any]:
    """Raises: NotASavedModel where the file is there and is no JSON object of at most 4 MiB."""
    file = folder / _METADATA
    try:
        with file.open("rb") as opened:
            content = opened.read(_METADATA_BYTES_MAX + 1)
    except FileNotFoundError:
        return {}
    if len(content) > _METADATA_BYTES_MAX:
        raise NotASavedModel(f"{file} is longer than {_METADATA_BYTES_MAX} bytes")
    try:
        found = json.loads(content)
    except ValueError as error:
        raise NotASavedModel(f"{file} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotASavedModel(f"{file} holds no JSON object")
    return found


@dataclass(frozen=True, slots=True)
class _Graph:
    tags: tuple[str, ...]
    written_by: str
    signatures: Mapping[str, Signature]
    left_out: Mapping[str, str]
    signature_defs: Mapping[str, bytes]


def _saved_model(message: memoryview) -> list[_Graph]:
    if not message:
        raise WireError("it is empty")
    return [_graph(value) for number, value in _parts(message) if number == 2]


def _graph(message: memoryview) -> _Graph:
    tags: list[str] = []
    written_by = ""
    signatures: dict[str, Signature] = {}
    left_out: dict[str, str] = {}
    signature_defs: dict[str, bytes] = {}
    for number, value in _parts(message):
        if number == 1:
            for part, text in _parts(value):
                if part == 4:
                    tags.append(_text(text))
                elif part == 5:
                    written_by = _text(text)
        elif number == 5:
            key, signature = _entry(value)
            signature_defs[key] = bytes(signature)
            try:
                signatures[key] = _signature(key, signature)
            except _NotCallable as error:
                left_out[key] = str(error)
    return _Graph(tuple(tags), written_by, signatures, left_out, signature_defs)


class _NotCallable(Exception):
    pass


def _signature(key: str, message: memoryview) -> Signature:
    inputs: dict[str, TensorSpec] = {}
    outputs: dict[str, TensorSpec] = {}
    method = ""
    for number, value in _parts(message):
        if number in {1, 2}:
            alias, tensor = _entry(value)
            (inputs if number == 1 else outputs)[alias] = _tensor(alias, tensor)
        elif number == 3:
            method = _text(value)
    return Signature(key, method, inputs, outputs)


def _tensor(alias: str, message: memoryview) -> TensorSpec:
    name, dtype = "", 0
    shape: tuple[int | None, ...] | None = ()
    for number, kind, value in fields(message):
        if number == 1 and isinstance(value, memoryview):
            name = _text(value)
        elif number == 2 and isinstance(value, int):
            dtype = value
        elif number == 3 and isinstance(value, memoryview):
            shape = _shape(value)
        elif number in {4, 5} and kind == BYTES:
            raise _NotCallable(f"{alias!r} is a sparse or composite tensor")
    known = numpy_name(dtype)
    if known is None:
        raise _NotCallable(f"{alias!r} has TensorFlow's element type {dtype}, which numpy does not have")
    return TensorSpec(alias, known, shape, name)


def _shape(message: memoryview) -> tuple[int | None, ...] | None:
    sizes: list[int | None] = []
    for number, _kind, value in fields(message):
        if number == 3 and value:
            return None
        if number == 2 and isinstance(value, memoryview):
            size = next((signed(v) for n, k, v in fields(value) if n == 1 and k == VARINT and isinstance(v, int)), 0)
            sizes.append(None if size < 0 else size)
    return tuple(sizes)


def _entry(message: memoryview) -> tuple[str, memoryview]:
    """One entry of a map from text to message."""
    key, found = "", memoryview(b"")
    for number, value in _parts(message):
        if number == 1:
            key = _text(value)
        elif number == 2:
            found = value
    return key, found


def _parts(message: memoryview) -> list[tuple[int, memoryview]]:
    return [(number, value) for number, _, value in fields(message) if isinstance(value, memoryview)]


def _text(value: memoryview) -> str:
    return bytes(value).decode()
