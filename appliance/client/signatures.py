"""What a model takes and gives, from the SignatureDefs of a folder or of a server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format

from appliance.client.errors import ClientError
from appliance.protos import message, pool
from appliance.runtimes.dtypes import numpy_name
from appliance.runtimes.model import DEFAULT_SIGNATURE, TensorSpec, shown

_OF_TENSORFLOW: Final = "__saved_model_init_op"


@dataclass(frozen=True, slots=True)
class Shown:
    """One signature, also one that cannot be called here."""

    key: str
    method: str
    inputs: Mapping[str, TensorSpec]
    """The dtype is numpy's name, `object` for strings; TensorFlow's own name where numpy has none."""
    outputs: Mapping[str, TensorSpec]
    defaults: Mapping[str, Any]
    """Per input that may be left out: the TensorProto that takes its place."""


def of_folder(signature_defs: Mapping[str, bytes]) -> dict[str, Shown]:
    """From what `describe()` read."""
    read = message("tensorflow.SignatureDef").FromString
    return _of_map({key: read(content) for key, content in signature_defs.items()})


def of_metadata(response: Any) -> dict[str, Shown]:
    """From a GetModelMetadataResponse."""
    read = message("tensorflow.serving.SignatureDefMap").FromString
    return _of_map(read(response.metadata["signature_def"].value).signature_def)


def of_json(body: Any) -> dict[str, Shown]:
    """From REST's metadata. Raises: ClientError where it is no such thing."""
    try:
        found = {"signature_def": body["metadata"]["signature_def"]["signature_def"]}
        read = json_format.ParseDict(
            found,
            message("tensorflow.serving.SignatureDefMap")(),
            ignore_unknown_fields=True,
            descriptor_pool=pool(),
        )
        return _of_map(read.signature_def)
    except (KeyError, TypeError, json_format.ParseError) as error:
        raise ClientError(f"The server's metadata is none that TensorFlow Serving gives: {error}") from error


def chosen(signatures: Mapping[str, Shown], key: str) -> Shown:
    """The signature of that key; "" is serving_default. Raises: ClientError."""
    found = signatures.get(key or DEFAULT_SIGNATURE)
    if found is None:
        raise ClientError(
            f"The model has no signature {key or DEFAULT_SIGNATURE!r}; it has {', '.join(sorted(signatures)) or 'none'}"
            " (--signature KEY)."
        )
    return found


def takes(signature: Shown) -> str:
    """What to send, in a sentence's middle: `x float32 [any, 1]`."""
    return ", ".join(f"{spec.alias} {dtype_of(spec)} {shown(spec.shape)}" for spec in signature.inputs.values())


def dtype_of(spec: TensorSpec) -> str:
    """As persons call it."""
    return "string" if spec.dtype == "object" else spec.dtype


def _of_map(signature_defs: Mapping[str, Any]) -> dict[str, Shown]:
    """The default signature first; without TensorFlow's own, which no client calls."""
    keys = sorted(signature_defs.keys() - {_OF_TENSORFLOW}, key=lambda key: (key != DEFAULT_SIGNATURE, key))
    return {key: _shown(key, signature_defs[key]) for key in keys}


def _shown(key: str, signature: Any) -> Shown:
    return Shown(
        key,
        signature.method_name,
        {alias: _spec(alias, info) for alias, info in sorted(signature.inputs.items())},
        {alias: _spec(alias, info) for alias, info in sorted(signature.outputs.items())},
        dict(signature.defaults.items()),
    )


def _spec(alias: str, info: Any) -> TensorSpec:
    number = info.dtype
    names = type(info).DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number
    other = names[number].name.removeprefix("DT_").lower() if number in names else f"type {number}"
    shape = info.tensor_shape
    dims = tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
    return TensorSpec(alias, numpy_name(number) or other, None if shape.unknown_rank else dims, info.name)
