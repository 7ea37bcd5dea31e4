"""TensorFlow Serving's requests and responses from and to what the data plane knows.

PredictResponse, the one with arrays in it, is written without a message in between.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from appliance.dataplane import Classifications, Code, ModelSpec, Regressions, RequestError
from appliance.dataplane.tensors import encoded
from appliance.protos import message
from appliance.runtimes.model import Array
from appliance.runtimes.wire import bytes_field, varint_field
from appliance.serving import ServableId

_KEPT: Final = 256


def asked_spec(request: Any) -> ModelSpec:
    """The request's model_spec. Raises: RequestError where it has none."""
    if not request.HasField("model_spec"):
        raise RequestError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    return spec_of(request.model_spec)


def spec_of(proto: Any) -> ModelSpec:
    """A tensorflow.serving.ModelSpec as the data plane's."""
    choice = proto.WhichOneof("version_choice")
    return ModelSpec(
        proto.name,
        proto.version.value if choice == "version" else None,
        proto.version_label if choice == "version_label" else None,
        proto.signature_name,
    )


def predict_response(
    servable: ServableId, signature: str, outputs: Mapping[str, Array], *, tensor_content: bool
) -> bytes:
    """A serialized PredictResponse. Raises: RequestError (UNIMPLEMENTED) for what a TensorProto cannot hold."""
    entries = [
        bytes_field(1, bytes_field(1, alias.encode()) + bytes_field(2, encoded(array, as_content=tensor_content)))
        for alias, array in outputs.items()
    ]
    return b"".join(entries) + bytes_field(2, _model_spec(servable, signature))


def classification_response(found: Classifications) -> bytes:
    """A serialized ClassificationResponse."""
    response = message("tensorflow.serving.ClassificationResponse")()
    response.model_spec.ParseFromString(_model_spec(found.id, found.signature))
    response.result.SetInParent()
    fill_classifications(response.result, found)
    serialized: bytes = response.SerializeToString()
    return serialized


def regression_response(found: Regressions) -> bytes:
    """A serialized RegressionResponse."""
    response = message("tensorflow.serving.RegressionResponse")()
    response.model_spec.ParseFromString(_model_spec(found.id, found.signature))
    fill_regressions(response.result, found)
    serialized: bytes = response.SerializeToString()
    return serialized


def multi_inference_response(answers: list[Classifications | Regressions]) -> bytes:
    """A serialized MultiInferenceResponse, in the answers' order."""
    response = message("tensorflow.serving.MultiInferenceResponse")()
    for found in answers:
        result = response.results.add()
        result.model_spec.ParseFromString(_model_spec(found.id, found.signature))
        if isinstance(found, Classifications):
            fill_classifications(result.classification_result, found)
        else:
            fill_regressions(result.regression_result, found)
    serialized: bytes = response.SerializeToString()
    return serialized


def fill_classifications(result: Any, found: Classifications) -> None:
    """Into a ClassificationResult."""
    for pairs in found.examples:
        classes = result.classifications.add().classes
        for label, score in pairs:
            classes.add(label=label, score=score)


def fill_regressions(result: Any, found: Regressions) -> None:
    """Into a RegressionResult."""
    for value in found.values:
        result.regressions.add(value=value)


@lru_cache(maxsize=_KEPT)
def _model_spec(servable: ServableId, signature: str) -> bytes:
    version = varint_field(1, servable.version) if servable.version else b""
    return bytes_field(1, servable.name.encode()) + bytes_field(2, version) + bytes_field(3, signature.encode())
