"""What a .tflite file offers by itself, without a SavedModel beside it: as tensorflow_model_server serves it.

A file says what its signatures are in one of three ways: by signatures of its own; by a SignatureDef in its metadata,
as older converters wrote it; or not at all, and then its tensors' names are what callers call them.
"""

import ctypes
from collections.abc import Mapping

from appliance.runtimes.description import signature_from
from appliance.runtimes.dtypes import tensorflow_number
from appliance.runtimes.errors import LoadRefused
from appliance.runtimes.litert.capi import LiteRt, Pointer, StatusError, TensorType
from appliance.runtimes.litert.dtypes import NUMPY
from appliance.runtimes.litert.flexbuffer import texts_of_map
from appliance.runtimes.litert.signatures import Slot, handles, tensors, text_of
from appliance.runtimes.model import DEFAULT_SIGNATURE, Signature, TensorSpec
from appliance.runtimes.wire import WireError, bytes_field, varint_field

_NO_SIGNATURE = "<placeholder signature>"
"""What LiteRT calls the signature that it makes for a file that has none."""
_SIGNATURE_DEFS = b"signature_defs_metadata"
_PREDICT = "tensorflow/serving/predict"
_STRING = 5


def offered_by(litert: LiteRt, model: int) -> dict[str, Slot]:
    """Raises: LoadRefused where it takes or gives what LiteRT cannot pass on; StatusError."""
    stated = _stated(litert, model)
    slots = {}
    for index, handle in handles(litert, model):
        own = text_of(litert, "GetSignatureKey", handle)
        if own != _NO_SIGNATURE:
            slots[own] = _slot(litert, handle, index, own, None)
        else:
            slots[DEFAULT_SIGNATURE] = _slot(litert, handle, index, DEFAULT_SIGNATURE, stated)
    return slots


def signature_def_of(signature: Signature) -> bytes:
    """The same as a serialized SignatureDef."""
    inputs = b"".join(bytes_field(1, _entry(spec)) for spec in signature.inputs.values())
    outputs = b"".join(bytes_field(2, _entry(spec)) for spec in signature.outputs.values())
    return inputs + outputs + bytes_field(3, signature.method.encode())


def _entry(spec: TensorSpec) -> bytes:
    sizes = (-1 if size is None else size for size in spec.shape or ())
    shape = b"".join(bytes_field(2, varint_field(1, size)) for size in sizes)
    info = bytes_field(1, spec.tensor.encode()) + varint_field(2, tensorflow_number(spec.dtype)) + bytes_field(3, shape)
    return bytes_field(1, spec.alias.encode()) + bytes_field(2, info)


def _slot(litert: LiteRt, handle: int, index: int, key: str, stated: Signature | None) -> Slot:
    inputs, outputs = list(tensors(litert, handle, "Input")), list(tensors(litert, handle, "Output"))
    takes = [_spec(name, kind, stated.inputs if stated else {}) for name, kind in inputs]
    gives = [_spec(name, kind, stated.outputs if stated else {}) for name, kind in outputs]
    signature = Signature(
        key,
        stated.method if stated else _PREDICT,
        {spec.alias: spec for spec in takes},
        {spec.alias: spec for spec in gives},
    )
    return Slot(
        signature,
        index,
        tuple(spec.alias for spec in takes),
        tuple(spec.alias for spec in gives),
        tuple(True for _ in takes),
        stored=tuple(tuple(max(1, size) for size in kind.layout.shape) for _, kind in inputs),
    )


def _spec(name: str, kind: TensorType, stated: Mapping[str, TensorSpec]) -> TensorSpec:
    if kind.element not in NUMPY:
        what = "text" if kind.element == _STRING else f"of LiteRT's element type {kind.element}"
        raise LoadRefused(f"its tensor {name!r} is {what}, which cannot be given to LiteRT here; serve the SavedModel")
    named = {spec.tensor: spec.alias for spec in stated.values()}
    alias = named.get(name) or named.get(f"{name}:0") or name
    shape = tuple(None if size < 0 else size for size in kind.layout.shape)
    return TensorSpec(alias, NUMPY[kind.element], shape, name)


def _stated(litert: LiteRt, model: int) -> Signature | None:
    """What the file's metadata says of the one signature that it has. Raises: LoadRefused."""
    address, size = Pointer(), ctypes.c_size_t()
    try:
        litert.checked("GetModelMetadata", model, _SIGNATURE_DEFS, ctypes.byref(address), ctypes.byref(size))
    except StatusError:
        return None
    try:
        definitions = texts_of_map(ctypes.string_at(address.value or 0, size.value))
        if len(definitions) == 1:
            return signature_from(DEFAULT_SIGNATURE, memoryview(definitions[0]))
    except (WireError, UnicodeDecodeError) as error:
        raise LoadRefused(f"its metadata has a damaged signature ({error}); convert the model again") from error
    raise LoadRefused(f"its metadata has {len(definitions)} signatures; it can have one")
