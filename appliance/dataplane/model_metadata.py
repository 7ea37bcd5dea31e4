"""GetModelMetadata's answer, as get_model_metadata_impl.cc makes it; its JSON form is what REST answers."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from appliance.dataplane.backend import Borrowed
from appliance.dataplane.errors import Code, RequestError
from appliance.protos import message
from appliance.runtimes.wire import bytes_field

SIGNATURE_DEF: Final = "signature_def"
_TYPE_URL: Final = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
_KEPT: Final = 16
"""Answers kept ready: clients ask each model again and again, and its signatures do not change."""


def check_metadata_fields(fields: Sequence[str]) -> None:
    """Raises: RequestError (INVALID_ARGUMENT) where none is asked for, or one that there is not."""
    if not fields:
        raise RequestError(Code.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field")
    for field in fields:
        if field != SIGNATURE_DEF:
            raise RequestError(Code.INVALID_ARGUMENT, f"Metadata field {field} is not supported")


def model_metadata(borrowed: Borrowed) -> Any:
    """A tensorflow.serving.GetModelMetadataResponse with the version's signatures."""
    response = message("tensorflow.serving.GetModelMetadataResponse")()
    response.model_spec.name = borrowed.id.name
    response.model_spec.version.value = borrowed.id.version
    packed = response.metadata[SIGNATURE_DEF]
    packed.type_url = _TYPE_URL
    packed.value = _signature_def_map(tuple(sorted(borrowed.outline.signature_defs.items())))
    return response


@lru_cache(maxsize=_KEPT)
def _signature_def_map(items: tuple[tuple[str, bytes], ...]) -> bytes:
    return b"".join([bytes_field(1, bytes_field(1, key.encode()) + bytes_field(2, value)) for key, value in items])
