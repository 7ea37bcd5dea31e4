"""The gRPC server: grpcio's, with a fixed number of calls that run and a bounded number that wait.

grpcio reads a request on the thread that will answer it. So there is a thread also for each call that waits: a client
that sends its request slowly, or never, holds one of those, and not one of the few that may run.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc

from appliance.api.errors import ApiError
from appliance.api.rpc import health, inference, model_service, prediction
from appliance.api.rpc.calls import limited
from appliance.api.rpc.reflection import add_reflection
from appliance.api.rpc.settings import GrpcSettings, Tls, parse_channel_arguments
from appliance.dataplane import DataPlane

logger = logging.getLogger(__name__)

_UNIX: Final = "unix:"
_UNLIMITED: Final = -1
_AFTER_GRACE_S: Final = 2.0
_OPTIONS: Final[dict[str, int | str]] = {
    "grpc.so_reuseport": 0,  # a second server on the port is a mistake, and is told of
    "grpc.max_send_message_length": _UNLIMITED,
    "grpc.keepalive_time_ms": 60_000,  # a client whose cable was pulled is let go, with the thread that it holds
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.http2.min_ping_interval_without_data_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
}


class GrpcServer:
    """One port, and a UNIX socket where wanted, from the constructor (which takes them) to `stop()`.

    Used by one thread; its own are all ended then, except for calls that are still in a model.
    """

    def __init__(self, plane: DataPlane, settings: GrpcSettings, reload: model_service.Reload | None = None) -> None:
        """Take the port; nothing is answered before `start()`.

        `reload`: what HandleReloadConfigRequest does. Raises: ApiError.
        """
        options = {
            **_OPTIONS,
            "grpc.max_receive_message_length": settings.max_receive_bytes,
            **parse_channel_arguments(settings.channel_arguments),
        }
        calls_max = settings.threads + settings.max_queued
        self._places = threading.BoundedSemaphore(settings.threads)
        self._threads = ThreadPoolExecutor(calls_max, thread_name_prefix="grpc")
        self._server = grpc.server(
            self._threads,
            options=list(options.items()),
            maximum_concurrent_rpcs=calls_max,
        )
        self._health: health.Health | None = None
        names = self._add_services(plane, settings, reload)
        add_reflection(names, self._server)
        credentials = None if settings.ssl is None else _credentials(settings.ssl)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.port: int = 0 if settings.port is None else self._listen(f"{host}:{settings.port}", credentials)
        """The port that was taken; useful where any free one was asked for. 0: none."""
        if settings.socket_path:
            self._listen(f"{_UNIX}{settings.socket_path}", credentials)

    def start(self) -> None:
        """Answer calls from now on; returns at once."""
        self._server.start()
        if self._health is not None:
            self._health.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Take no new calls, answer those under way for at most `grace_s`, then cancel them and close everything."""
        if self._health is not None:
            self._health.stop()
        self._server.stop(grace_s).wait(grace_s + _AFTER_GRACE_S)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _add_services(self, plane: DataPlane, settings: GrpcSettings, reload: model_service.Reload | None) -> list[str]:
        handlers = {
            prediction.SERVICE: prediction.PredictionService(plane, tensor_content=settings.tensor_content).handlers(),
            model_service.SERVICE: model_service.ModelService(plane, reload).handlers(),
            inference.SERVICE: inference.InferenceService(plane).handlers(),
        }
        for service, methods in handlers.items():
            bounded = {method: limited(handler, self._places) for method, handler in methods.items()}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, bounded),))
        names = list(handlers)
        if settings.health_service:
            self._health = health.Health(plane, self._server)
            names.append(health.SERVICE)
        return names

    def _listen(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        try:
            if credentials is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            self.stop(0)
            raise ApiError(_cannot_listen(address, encrypted=credentials is not None)) from error
        return int(port)


def _cannot_listen(address: str, *, encrypted: bool) -> str:
    """Which of the reasons it is, grpc does not tell."""
    if address.startswith(_UNIX):
        return (
            f"gRPC cannot be answered on the UNIX socket {address.removeprefix(_UNIX)}: its folder is missing, a file "
            "of that name is, or the path is longer than 107 bytes; correct grpc_socket_path."
        )
    port = address.rpartition(":")[2]
    keys = ", or key and certificate are no pair of PEM texts (see the TLS settings)" if encrypted else ""
    return (
        f"gRPC cannot be answered on {address}: another program has the port (ss -ltnp 'sport = :{port}' names it), or "
        f"this box has no such address{keys}; set another."
    )


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    if tls.client_verify and not tls.custom_ca:
        raise ApiError("TLS: client_verify needs custom_ca, the certificate that signs the clients'.")
    return grpc.ssl_server_credentials(
        [(tls.server_key.encode(), tls.server_cert.encode())],
        root_certificates=tls.custom_ca.encode() or None,
        require_client_auth=tls.client_verify,
    )
