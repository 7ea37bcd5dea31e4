"""The Open Inference Protocol, version 2 (KServe's), over the same data plane: /v2/... in JSON, with binary tensors."""

import re
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from appliance import __version__
from appliance.api.rest.calls import who_answered
from appliance.api.rest.inference_tensors import DATATYPES, answer_of, inputs_of, parts_of
from appliance.api.rest.request import Answer, Request, error_answer, json_answer
from appliance.api.rest.settings import RestSettings
from appliance.api.rest.tensors import invalid
from appliance.dataplane import Borrowed, DataPlane, ModelSpec, RequestError
from appliance.runtimes.model import DEFAULT_SIGNATURE, TensorSpec
from appliance.serving import ManagerState

_PATH: Final = re.compile(
    r"/v2(?:/health/(?P<health>live|ready)"
    r"|/models/(?P<name>[^/]+)(?:/versions/(?P<version>[0-9]{1,18}))?(?:/(?P<what>ready|infer))?)?/?"
)


class OpenInference:
    """Threads: any."""

    def __init__(self, plane: DataPlane, settings: RestSettings) -> None:
        self._plane = plane
        self._timeout_s = settings.timeout_s

    def knows(self, path: str) -> bool:
        """Whether the path is of this protocol, be it right or wrong."""
        return path == "/v2" or path.startswith("/v2/")

    def answer(self, request: Request) -> Answer:
        """JSON; errors are `{"error": ...}`."""
        found = _PATH.fullmatch(request.path.partition("?")[0])
        if found is None:
            return json_answer(404, {"error": f"{request.path} is no path of the Open Inference Protocol."})
        verb = "POST" if found["what"] == "infer" else "GET"
        if request.verb != verb:
            return json_answer(405, {"error": f"{request.path} takes {verb}."}, {"Allow": verb})
        try:
            return self._answer(found, request)
        except RequestError as error:
            return error_answer(error)

    def _answer(self, found: "re.Match[str]", request: Request) -> Answer:
        if found["health"]:
            ready = found["health"] == "live" or self._ready()
            return json_answer(200 if ready else 503, {found["health"]: ready})
        if not found["name"]:
            return json_answer(200, {"name": "appliance", "version": __version__, "extensions": ["binary_tensor_data"]})
        spec = ModelSpec(unquote(found["name"]), int(found["version"]) if found["version"] else None)
        if found["what"] == "ready":
            return self._model_ready(spec)
        with self._plane.borrow(spec) as borrowed:
            if found["what"] == "infer":
                return self._infer(borrowed, request)
            return json_answer(200, self._described(borrowed), who_answered(borrowed.id))

    def _ready(self) -> bool:
        states = self._plane.backend.states()
        serving = {state.id.name for state in states if state.manager_state is ManagerState.AVAILABLE}
        return bool(states) and serving == {state.id.name for state in states}

    def _model_ready(self, spec: ModelSpec) -> Answer:
        states = self._plane.states(spec.name, spec.version)
        ready = any(state.manager_state is ManagerState.AVAILABLE for state in states)
        return json_answer(200 if ready else 503, {"name": spec.name, "ready": ready})

    def _described(self, borrowed: Borrowed) -> dict[str, Any]:
        states = self._plane.states(borrowed.id.name)
        signature = borrowed.outline.signatures.get(DEFAULT_SIGNATURE)
        return {
            "name": borrowed.id.name,
            "versions": [str(one.id.version) for one in states if one.manager_state is ManagerState.AVAILABLE],
            "platform": f"appliance_{borrowed.outline.engine.replace('-', '_')}",
            "inputs": [_tensor(spec) for spec in signature.inputs.values()] if signature else [],
            "outputs": [_tensor(spec) for spec in signature.outputs.values()] if signature else [],
        }

    def _infer(self, borrowed: Borrowed, request: Request) -> Answer:
        deadline_s = time.monotonic() + self._timeout_s
        head, binary = parts_of(request.body(), request.header("Inference-Header-Content-Length"))
        inputs = inputs_of(head, binary)
        key = _signature_name(head)
        signature = self._plane.signature_to_predict(borrowed, key)
        for name in (name for name in inputs if name not in signature.inputs):
            raise invalid(f"There is no input {name!r}; the model takes {', '.join(sorted(signature.inputs))}.")
        wanted = _wanted(head)
        answer = self._plane.predict(borrowed, key, inputs, list(wanted), deadline_s=deadline_s)
        about = {"model_name": answer.id.name, "model_version": str(answer.id.version)}
        if isinstance(head.get("id"), str):
            about["id"] = head["id"]
        body, json_bytes = answer_of(about, answer.outputs, wanted, all_binary=_asks_binary(head))
        headers = dict(who_answered(answer.id))
        if json_bytes is None:
            return Answer(200, body, headers=headers)
        headers["Inference-Header-Content-Length"] = str(json_bytes)
        return Answer(200, body, "application/octet-stream", headers)


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    shape = [-1] if spec.shape is None else [-1 if size is None else size for size in spec.shape]
    return {"name": spec.alias, "datatype": DATATYPES.get(spec.dtype, spec.dtype.upper()), "shape": shape}


def _parameters(of: Mapping[str, Any]) -> Mapping[str, Any]:
    given = of.get("parameters", {})
    if not isinstance(given, dict):
        raise invalid("'parameters' has to be an object.")
    return given


def _signature_name(head: Mapping[str, Any]) -> str:
    """A parameter of our own: which signature; none: serving_default."""
    name = _parameters(head).get("signature_name", "")
    if not isinstance(name, str):
        raise invalid("parameters.signature_name has to be a string.")
    return name


def _asks_binary(head: Mapping[str, Any]) -> bool:
    return _parameters(head).get("binary_data_output") is True


def _wanted(head: Mapping[str, Any]) -> dict[str, bool | None]:
    """The outputs asked for, and whether as binary; None: as the request says for all."""
    outputs = head.get("outputs", [])
    if not isinstance(outputs, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in outputs
    ):
        raise invalid("'outputs' has to be a list of objects with a name.")
    return {one["name"]: _parameters(one).get("binary_data") for one in outputs}
