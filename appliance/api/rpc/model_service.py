"""tensorflow.serving.ModelService."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import grpc

from appliance.api.rpc.calls import unary
from appliance.api.rpc.messages import asked_spec
from appliance.dataplane import Code, DataPlane, RequestError
from appliance.dataplane.model_status import model_status
from appliance.protos import message

SERVICE: Final = "tensorflow.serving.ModelService"

Reload = Callable[[Any], None]
"""Apply a tensorflow.serving.ModelServerConfig, and return when it is in effect. Raises: RequestError."""


class ModelService:
    """Threads: any. A reload blocks its call for as long as it takes."""

    def __init__(self, plane: DataPlane, reload: Reload | None) -> None:
        """`reload` None: the configuration of this process is not changed over the network."""
        self._plane = plane
        self._reload = reload

    def handlers(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """By method."""
        return {
            "GetModelStatus": unary("tensorflow.serving.GetModelStatusRequest", self.get_model_status),
            "HandleReloadConfigRequest": unary("tensorflow.serving.ReloadConfigRequest", self.reload_config),
        }

    def get_model_status(self, request: Any, _deadline_s: float | None) -> bytes:
        """A label in the request is not looked at, as TensorFlow Serving does not. Raises: RequestError."""
        spec = asked_spec(request)
        answer: bytes = model_status(self._plane.states(spec.name, spec.version)).SerializeToString()
        return answer

    def reload_config(self, request: Any, _deadline_s: float | None) -> bytes:
        """Raises: RequestError."""
        if request.config.WhichOneof("config") != "model_config_list":
            raise RequestError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported",
            )
        if self._reload is None:
            raise RequestError(
                Code.UNIMPLEMENTED, "The models of this process are set in its own configuration, not over the network."
            )
        names = list(request.metric_names)
        before = self._plane.metrics.first_cells(names)
        self._reload(request.config)
        after = self._plane.metrics.first_cells(names)
        response = message("tensorflow.serving.ReloadConfigResponse")()
        response.status.error_code = 0
        for name, value in after.items():
            response.metric.add(name=name, int64_value_increase=value - before[name])
        answer: bytes = response.SerializeToString()
        return answer
