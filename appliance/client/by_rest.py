"""A prediction by REST: the signature is asked for first, then the version that gave it is."""

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import numpy as np

from appliance.client import images, listing, repository, web
from appliance.client.endpoints import Endpoints
from appliance.client.errors import ClientError
from appliance.client.outputs import Prediction
from appliance.client.question import Question
from appliance.client.signatures import Shown, chosen, of_json, takes
from appliance.runtimes.model import DEFAULT_SIGNATURE, STRING_DTYPE, Array, TensorSpec


def predict(question: Question, where: Endpoints) -> Prediction:
    """Blocks for the model's time. Raises: ClientError."""
    version, signatures = metadata(question.name, question.version, question.label, where, question.timeout_s)
    signature = chosen(signatures, question.signature)
    known = repository.version(where, question.name, version, question.timeout_s)
    body, kind = _body(question, signature, pictures=known is not None)
    begun = time.monotonic()
    path = f"{_path(question.name)}/versions/{version}:predict"
    response = web.ask(where, path, body, kind=kind, timeout_s=question.timeout_s)
    took_s = time.monotonic() - begun
    if response.status != 200:
        said = " ".join(response.error.split()).rstrip(".")
        raise ClientError(
            f"The server refuses it (HTTP {response.status}): {said}. The model takes {takes(signature)}."
        )
    outputs = _outputs(signature, response.body)
    return Prediction(question.name, version, signature.key, outputs, took_s, known.classes if known else ())


def metadata(
    name: str, version: int | None, label: str | None, where: Endpoints, timeout_s: float
) -> tuple[int, dict[str, Shown]]:
    """Which version answers, and its signatures. Raises: ClientError."""
    path = _path(name)
    if version is not None:
        path += f"/versions/{version}"
    elif label is not None:
        path += f"/labels/{quote(label, safe='')}"
    told = web.ask(where, f"{path}/metadata", timeout_s=timeout_s)
    if told.status != 200:
        raise listing.unknown_model(name, where, timeout_s, told.error)
    signatures = of_json(told.body)
    return int(told.body["model_spec"]["version"]), signatures


def _path(name: str) -> str:
    return f"/v1/models/{quote(name, safe='')}"


def _body(question: Question, signature: Shown, *, pictures: bool) -> tuple[bytes, str]:
    """The request and its Content-Type; a picture file as it is, where the server takes `pictures`."""
    if pictures and question.image is not None and _goes_as_it_is(question, signature):
        content = images.read(question.image[1])
        return content, "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
    inputs = {alias: _json_of(array) for alias, array in question.inputs(signature).items()}
    return json.dumps({"signature_name": signature.key, "inputs": inputs}).encode(), "application/json"


def _goes_as_it_is(question: Question, signature: Shown) -> bool:
    """The box prepares it as the model's inspection.json says; it asks the default signature then."""
    assert question.image is not None
    spec = images.picture_input(signature, question.image[0])
    is_all = not question.typed and len(signature.inputs) == 1 and not question.resize
    return is_all and spec.dtype != STRING_DTYPE and signature.key == DEFAULT_SIGNATURE


def _json_of(array: Array) -> Any:
    return _encoded(array.tolist()) if array.dtype == STRING_DTYPE else array.tolist()


def _encoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    return {"b64": base64.b64encode(value).decode()}


def _outputs(signature: Shown, body: Any) -> dict[str, Array]:
    """Of `outputs`, and of the `predictions` that a picture is answered with."""
    try:
        rows = body.get("predictions")
        given = body["outputs"] if rows is None else rows
        if len(signature.outputs) == 1:
            given = {next(iter(signature.outputs)): given}
        elif rows is not None:
            given = {alias: [row[alias] for row in rows] for alias in signature.outputs}
        return {alias: _array(signature.outputs[alias], value) for alias, value in sorted(given.items())}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
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
