"""The two ports: closed while models load, opened together, closed together."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.dataplane import DataPlane
from appliance.serve import settings
from appliance.serve.files import read_message
from appliance.serve.values import Values

if TYPE_CHECKING:
    from appliance.api.rest import RestServer, RestSettings
    from appliance.api.rpc import GrpcServer, GrpcSettings, Tls

logger = logging.getLogger(__name__)

_MIB = 1 << 20


class Ports:
    """Used by one thread."""

    def __init__(self, values: Values, plane: DataPlane, reload: Callable[[Any], None]) -> None:
        """Read the files that flags name; take no port yet. Raises: RequestError."""
        self._plane = plane
        self._reload = reload
        self._grpc_settings = _grpc_settings(values)
        self._rest_settings = _rest_settings(values)
        self._grpc: GrpcServer | None = None
        self._rest: RestServer | None = None

    def open(self) -> None:
        """Take the ports and answer from now on. Raises: ApiError."""
        from appliance.api.rest import RestServer
        from appliance.api.rpc import GrpcServer

        self._grpc = GrpcServer(self._plane, self._grpc_settings, self._reload)
        if self._rest_settings is not None:
            self._rest = RestServer(self._plane, self._rest_settings)
        self._grpc.start()
        if self._grpc_settings.port is not None:
            logger.info("Running gRPC ModelServer at %s:%d ...", self._grpc_settings.host, self._grpc.port)
        if self._grpc_settings.socket_path:
            logger.info("Running gRPC ModelServer at UNIX socket %s ...", self._grpc_settings.socket_path)
        if self._rest is not None:
            self._rest.start()
            logger.info("Exporting HTTP/REST API at:localhost:%d ...", self._rest.port)

    def close(self, grace_s: float) -> None:
        """Take no new requests, answer those under way for at most `grace_s`. Nothing where they are not open."""
        servers: list[GrpcServer | RestServer] = [each for each in (self._grpc, self._rest) if each is not None]
        closing = [threading.Thread(target=each.stop, args=(max(0.0, grace_s),), daemon=True) for each in servers]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
        self._grpc = self._rest = None


def _grpc_settings(values: Values) -> "GrpcSettings":
    from appliance.api.rpc import GrpcSettings

    port = values.whole("port")
    return GrpcSettings(
        host=values.text("bind_address"),
        port=None if port == 0 else max(0, port),
        socket_path=str(Path(path).absolute()) if (path := values.text("grpc_socket_path")) else "",
        ssl=_tls(values),
        threads=max(1, values.whole("grpc_max_threads")),
        max_queued=max(0, values.whole("max_queued_requests")),
        max_receive_bytes=values.whole("max_request_mb") * _MIB,
        health_service=values.yes("enable_grpc_healthcheck_service"),
        tensor_content=values.yes("enable_serialization_as_tensor_content"),
        channel_arguments=values.text("grpc_channel_arguments"),
    )


def _tls(values: Values) -> "Tls | None":
    from appliance.api.rpc import Tls

    file = values.text("ssl_config_file")
    if not file:
        return None
    config = read_message("tensorflow.serving.SSLConfig", Path(file))
    return Tls(config.server_key, config.server_cert, config.custom_ca, config.client_verify)


def _rest_settings(values: Values) -> "RestSettings | None":
    from appliance.api.rest import RestSettings

    port = values.whole("rest_api_port")
    path = settings.metrics_path(values)
    if port == 0:
        return None
    return RestSettings(
        host=values.text("bind_address"),
        port=max(0, port),
        threads=max(1, values.whole("rest_api_num_threads")),
        timeout_s=values.whole("rest_api_timeout_in_ms") / 1000,
        cors=values.yes("rest_api_enable_cors_support"),
        prometheus_path=path,
        open_inference=values.yes("enable_open_inference"),
        body_max_bytes=values.whole("max_request_mb") * _MIB,
        queued_max=max(0, values.whole("max_queued_requests")),
    )
