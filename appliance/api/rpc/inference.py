"""inference.GRPCInferenceService: the Open Inference Protocol, version 2, as KServe and Triton speak it.

A tensor's name is its alias in the signature. `parameters["signature_name"]` chooses another than serving_default.
"""

import importlib.metadata
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import grpc

from appliance.api.rpc.calls import unary
from appliance.api.rpc.counting import counted
from appliance.api.rpc.health import serves
from appliance.api.rpc.inference_tensors import DATATYPES, arrays_of, datatype_of, fill_contents, needs_raw, raw_of
from appliance.dataplane import Code, DataPlane, ModelSpec, Predicted, RequestError
from appliance.protos import message
from appliance.runtimes.model import DEFAULT_SIGNATURE, TensorSpec
from appliance.serving import ManagerState
from appliance.serving.ids import VERSION_MAX

SERVICE: Final = "inference.GRPCInferenceService"
SIGNATURE: Final = "signature_name"
_DISTRIBUTION: Final = "inspection-appliance"
_PLATFORMS: Final = {"litert": "tflite"}


class InferenceService:
    """Threads: any; nothing is kept between calls."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def handlers(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """By method."""
        infer = counted(self._plane.metrics, "ModelInfer", lambda request: str(request.model_name), self.model_infer)
        answers = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "ModelInfer": infer,
        }
        return {method: unary(f"inference.{method}Request", answer) for method, answer in answers.items()}

    def server_live(self, _request: Any, _deadline_s: float | None) -> bytes:
        """Whoever answers lives."""
        return _serialized("ServerLiveResponse", live=True)

    def server_ready(self, _request: Any, _deadline_s: float | None) -> bytes:
        """Whether there is anything to serve."""
        return _serialized("ServerReadyResponse", ready=serves(self._plane))

    def model_ready(self, request: Any, _deadline_s: float | None) -> bytes:
        """Whether that version, or any, is available; a model that nobody knows is not. Raises: RequestError."""
        wanted = _version(request.version)
        return _serialized(
            "ModelReadyResponse", ready=any(wanted in {None, one} for one in self._available(request.name))
        )

    def server_metadata(self, _request: Any, _deadline_s: float | None) -> bytes:
        """Name and version of this program."""
        version = "unknown"
        with suppress(importlib.metadata.PackageNotFoundError):
            version = importlib.metadata.version(_DISTRIBUTION)
        return _serialized("ServerMetadataResponse", name=_DISTRIBUTION, version=version)

    def model_metadata(self, request: Any, _deadline_s: float | None) -> bytes:
        """The inputs and outputs of serving_default, none where a model has no such signature. Raises: RequestError."""
        response = message("inference.ModelMetadataResponse")(name=request.name)
        with self._plane.borrow(ModelSpec(request.name, _version(request.version))) as borrowed:
            response.platform = _PLATFORMS.get(borrowed.outline.engine, "tensorflow_savedmodel")
            signature = borrowed.outline.signatures.get(DEFAULT_SIGNATURE)
            for specs, tensors in (
                (signature.inputs if signature else {}, response.inputs),
                (signature.outputs if signature else {}, response.outputs),
            ):
                for spec in specs.values():
                    tensors.add(name=spec.alias, datatype=DATATYPES.get(spec.dtype, ""), shape=_shape(spec))
        response.versions.extend(str(version) for version in self._available(request.name))
        serialized: bytes = response.SerializeToString()
        return serialized

    def model_infer(self, request: Any, deadline_s: float | None) -> bytes:
        """Raises: RequestError."""
        wanted = [output.name for output in request.outputs]
        spec = ModelSpec(request.model_name, _version(request.model_version))
        with self._plane.borrow(spec) as borrowed:
            key = request.parameters[SIGNATURE].string_param if SIGNATURE in request.parameters else ""
            found = self._plane.predict(borrowed, key, arrays_of(request), wanted, deadline_s=deadline_s)
            return _infer_response(request, found)

    def _available(self, name: str) -> list[int]:
        states = self._plane.backend.states(name)
        return [state.id.version for state in states if state.manager_state is ManagerState.AVAILABLE]


def _infer_response(request: Any, found: Predicted) -> bytes:
    response = message("inference.ModelInferResponse")(
        model_name=found.id.name, model_version=str(found.id.version), id=request.id
    )
    raw = len(request.raw_input_contents) > 0 or needs_raw(list(found.outputs.values()))
    for alias, array in found.outputs.items():
        tensor = response.outputs.add(name=alias, datatype=datatype_of(array), shape=array.shape)
        if raw:
            response.raw_output_contents.append(raw_of(array))
        else:
            fill_contents(tensor.contents, array)
    serialized: bytes = response.SerializeToString()
    return serialized


def _version(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(VERSION_MAX)):
        raise RequestError(Code.INVALID_ARGUMENT, f"{text[:32]!r} is no version; a version is a number")
    return int(text)


def _shape(spec: TensorSpec) -> list[int]:
    """Any size is -1; any number of dimensions is one of any size, since the protocol cannot say it."""
    return [-1] if spec.shape is None else [-1 if size is None else size for size in spec.shape]


def _serialized(response: str, /, **fields: Any) -> bytes:
    serialized: bytes = message(f"inference.{response}")(**fields).SerializeToString()
    return serialized
