"""Status and metadata of a model, as protocol buffers print themselves in JSON."""

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format

from appliance.dataplane import Borrowed
from appliance.dataplane.model_metadata import SIGNATURE_DEF, model_metadata
from appliance.dataplane.model_status import model_status
from appliance.protos import message, pool
from appliance.serving import ServableState


def status_text(states: Sequence[ServableState]) -> str:
    """GetModelStatusResponse."""
    return _printed(_fields(model_status(states)))


def metadata_text(borrowed: Borrowed) -> str:
    """GetModelMetadataResponse; TensorFlow Serving prints its two parts and puts them together by hand."""
    packed = model_metadata(borrowed).metadata[SIGNATURE_DEF]
    signatures = _fields(message("tensorflow.serving.SignatureDefMap").FromString(packed.value))
    spec = {"name": borrowed.id.name, "signature_name": "", "version": str(borrowed.id.version)}
    return f'{{\n"model_spec":{_printed(spec)},\n"metadata": {{"{SIGNATURE_DEF}": {_printed(signatures)}}}\n}}\n'


def _fields(shown: Any) -> dict[str, Any]:
    made: dict[str, Any] = json_format.MessageToDict(
        shown,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        descriptor_pool=pool(),
    )
    return made


def _printed(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
