"""What a .tflite file offers, matched to what the SavedModel it was made of says."""

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from appliance.runtimes.errors import LoadRefused
from appliance.runtimes.litert.capi import LiteRt, Pointer, TensorType
from appliance.runtimes.litert.dtypes import NUMPY
from appliance.runtimes.model import Signature, TensorSpec


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a signature is in the file."""

    signature: Signature
    index: int
    inputs: tuple[str, ...]
    """Aliases, in the file's order."""
    outputs: tuple[str, ...]
    open_inputs: tuple[bool, ...]
    """Which inputs have a size that each request may choose."""
    stored: tuple[tuple[int, ...], ...] | None = None
    """The inputs' shapes in the file, where a request may choose any shape at all: as tensorflow_model_server does."""


def slots_of(
    litert: LiteRt, model: int, signatures: Mapping[str, Signature], same_as: Mapping[str, str]
) -> dict[str, Slot]:
    """Find every signature in the file; one that is the `same_as` another is served by the other's.

    Raises: LoadRefused where the file does not do what the signatures say, StatusError.
    """
    found = {text_of(litert, "GetSignatureKey", handle): (index, handle) for index, handle in handles(litert, model)}
    slots = {}
    for key, signature in signatures.items():
        place = found.get(same_as.get(key, key))
        if place is None:
            raise LoadRefused(f"the .tflite file has no signature {key!r}")
        index, handle = place
        inputs = dict(tensors(litert, handle, "Input"))
        outputs = dict(tensors(litert, handle, "Output"))
        _compare(key, signature.inputs, inputs)
        _compare(key, signature.outputs, outputs)
        are_open = tuple(any(size < 0 for size in kind.layout.shape) for kind in inputs.values())
        slots[key] = Slot(signature, index, tuple(inputs), tuple(outputs), are_open)
    return slots


def _compare(key: str, wanted: Mapping[str, TensorSpec], found: Mapping[str, TensorType]) -> None:
    has = {alias: NUMPY.get(kind.element, f"type {kind.element}") for alias, kind in found.items()}
    should = {alias: spec.dtype for alias, spec in wanted.items()}
    if has != should:
        raise LoadRefused(f"signature {key!r} of the .tflite file has {has}; the SavedModel says {should}")


def handles(litert: LiteRt, model: int) -> Iterator[tuple[int, int]]:
    for index in range(litert.made("GetNumModelSignatures", model, kind=ctypes.c_size_t)):
        yield index, litert.made("GetModelSignature", model, index)


def tensors(litert: LiteRt, signature: int, side: str) -> Iterator[tuple[str, TensorType]]:
    for index in range(litert.made(f"GetNumSignature{side}s", signature, kind=ctypes.c_size_t)):
        tensor = litert.made(f"GetSignature{side}TensorByIndex", signature, index)
        kind = litert.made("GetRankedTensorType", tensor, kind=TensorType)
        yield text_of(litert, f"GetSignature{side}Name", signature, index), kind


def text_of(litert: LiteRt, function: str, *arguments: object) -> str:
    address = litert.made(function, *arguments, kind=Pointer)
    return ctypes.string_at(address).decode()
