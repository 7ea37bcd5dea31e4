"""A prediction by gRPC: the signature is asked for first, so that what was typed becomes the tensors it takes."""

import time
from typing import Any

from appliance.client import listing, repository
from appliance.client.connection import Connection, Refused, connect, model_spec
from appliance.client.endpoints import Endpoints
from appliance.client.errors import ClientError
from appliance.client.outputs import Prediction
from appliance.client.question import Question
from appliance.client.signatures import Shown, chosen, of_metadata, takes
from appliance.dataplane.tensors import array_of, tensor_proto_of
from appliance.protos import message
from appliance.runtimes.model import STRING_DTYPE


def predict(question: Question, where: Endpoints) -> Prediction:
    """Blocks for the model's time. Raises: ClientError."""
    with connect(where) as server:
        spec = model_spec(question.name, question.version, question.label, question.signature)
        _, signatures = _metadata(server, spec, where, question.timeout_s)
        signature = chosen(signatures, question.signature)
        request = message("tensorflow.serving.PredictRequest")(model_spec=spec)
        for alias, array in question.inputs(signature).items():
            request.inputs[alias].CopyFrom(tensor_proto_of(array, as_content=array.dtype != STRING_DTYPE))
        begun = time.monotonic()
        try:
            response = server.predict(request, question.timeout_s)
        except Refused as refused:
            said = " ".join(str(refused).split()).rstrip(".")
            raise ClientError(
                f"The server refuses it ({refused.code}): {said}. The model takes {takes(signature)}."
            ) from refused
        took_s = time.monotonic() - begun
    found = {alias: array_of(tensor) for alias, tensor in sorted(response.outputs.items())}
    version = response.model_spec.version.value
    known = repository.version(where, question.name, version, question.timeout_s)
    return Prediction(question.name, version, signature.key, found, took_s, known.classes if known else ())


def metadata(
    name: str, version: int | None, label: str | None, where: Endpoints, timeout_s: float
) -> tuple[int, dict[str, Shown]]:
    """Which version answers, and its signatures. Raises: ClientError."""
    with connect(where) as server:
        return _metadata(server, model_spec(name, version, label), where, timeout_s)


def _metadata(server: Connection, spec: Any, where: Endpoints, timeout_s: float) -> tuple[int, dict[str, Shown]]:
    try:
        told = server.metadata(spec, timeout_s)
    except Refused as refused:
        raise listing.unknown_model(spec.name, where, timeout_s, str(refused)) from refused
    return told.model_spec.version.value, of_metadata(told)
