"""What a signature says beyond its tensors' types: its defaults, and how TensorFlow Serving shows it in a message."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from google.protobuf import text_format

from appliance.dataplane.backend import Outline
from appliance.dataplane.errors import Code, RequestError
from appliance.protos import message
from appliance.runtimes.model import DEFAULT_SIGNATURE, Signature

PREDICT_METHOD: Final = "tensorflow/serving/predict"
CLASSIFY_METHOD: Final = "tensorflow/serving/classify"
REGRESS_METHOD: Final = "tensorflow/serving/regress"

_KEPT: Final = 256
"""Parsed signatures: of the models that are asked now, and of those that they replaced."""


def found(outline: Outline, key: str, not_found: RequestError) -> Signature:
    """The signature of that key. Raises: RequestError: `not_found`, or UNIMPLEMENTED for one that numpy cannot feed."""
    signature = outline.signatures.get(key)
    if signature is not None:
        return signature
    if key in outline.signature_defs:
        raise RequestError(
            Code.UNIMPLEMENTED,
            f"Signature {key} cannot be called here: it has a sparse or composite tensor, or one of an element type "
            "that numpy lacks.",
        )
    raise not_found


def key_of(key: str) -> str:
    """What an empty key means."""
    return key or DEFAULT_SIGNATURE


def defaults_of(outline: Outline, key: str) -> Mapping[str, Any]:
    """The TensorProtos that stand for inputs which a request leaves out, by alias. A microsecond once parsed."""
    serialized = outline.signature_defs.get(key)
    return {} if serialized is None else _defaults(serialized)


def shown(outline: Outline, key: str) -> str:
    """The signature in protocol buffers' text format."""
    serialized = outline.signature_defs.get(key, b"")
    text: str = text_format.MessageToString(message("tensorflow.SignatureDef").FromString(serialized))
    return text


@lru_cache(maxsize=_KEPT)
def _defaults(serialized: bytes) -> Mapping[str, Any]:
    return dict(message("tensorflow.SignatureDef").FromString(serialized).defaults)
