"""A prediction by REST: the signature is asked for first, then the version that gave it is."""

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import numpy as np

from appliance.client import listing, web
from appliance.client.endpoints import Endpoints
from appliance.client.errors import ClientError
from appliance.client.outputs import Prediction
from appliance.client.question import Question
from appliance.client.signatures import Shown, chosen, of_json, takes
from appliance.runtimes.model import STRING_DTYPE, Array, TensorSpec


def predict(question: Question, where: Endpoints) -> Prediction:
    """Blocks for the model's time. Raises: ClientError."""
    path = _path(question.name)
    if question.version is not None:
        path += f"/versions/{question.version}"
    elif question.label is not None:
        path += f"/labels/{quote(question.label, safe='')}"
    told = web.ask(where, f"{path}/metadata", timeout_s=question.timeout_s)
    if told.status != 200:
        raise listing.unknown_model(question.name, where, question.timeout_s, told.error)
    signature = chosen(of_json(told.body), question.signature)
    version = int(told.body["model_spec"]["version"])
    body, kind = _body(question, signature)
    path = f"{_path(question.name)}/versions/{version}"
    begun = time.monotonic()
    response = web.ask(where, f"{path}:predict", body, kind=kind, timeout_s=question.timeout_s)
    took_s = time.monotonic() - begun
    if response.status != 200:
        said = response.error.rstrip(".")
        raise ClientError(
            f"The server refuses it (HTTP {response.status}): {said}. The model takes {takes(signature)}."
        )
    classes = listing.classes(question.name, version, where, question.timeout_s)
    return Prediction(question.name, version, signature.key, _found(signature, response.body), took_s, classes)


def _path(name: str) -> str:
    return f"/v1/models/{quote(name, safe='')}"


def _body(question: Question, signature: Shown) -> tuple[bytes, str]:
    inputs = {alias: _json_of(array) for alias, array in question.inputs(signature).items()}
    return json.dumps({"signature_name": signature.key, "inputs": inputs}).encode(), "application/json"


def _json_of(array: Array) -> Any:
    return _encoded(array.tolist()) if array.dtype == STRING_DTYPE else array.tolist()


def _encoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    return {"b64": base64.b64encode(value).decode()}


def _found(signature: Shown, body: Any) -> dict[str, Array]:
    try:
        given = body["outputs"]
        named = given if len(signature.outputs) > 1 else {next(iter(signature.outputs)): given}
        return {alias: _array(signature.outputs[alias], value) for alias, value in sorted(named.items())}
    except (KeyError, TypeError, ValueError) as error:
        raise ClientError(f"The server's answer is none that TensorFlow Serving gives: {error!r}") from error


def _array(spec: TensorSpec, value: Any) -> Array:
    return np.array(_decoded(value) if spec.dtype == STRING_DTYPE else value, spec.dtype)


def _decoded(value: Any) -> Any:
    match value:
        case list():
            return [_decoded(each) for each in value]
        case {"b64": encoded}:
            return base64.b64decode(encoded)
        case _:
            return str(value).encode()
