"""What can be set of the gRPC server; the names of tensorflow_model_server's flags stand in brackets."""

import os
from dataclasses import dataclass, field

from appliance.api.errors import ApiError

_INT32_MAX = 2**31 - 1
_INT32_MIN = -(2**31)


@dataclass(frozen=True, slots=True)
class Tls:
    """The contents of PEM files, as SSLConfig has them."""

    server_key: str = field(repr=False)
    server_cert: str
    custom_ca: str = ""
    """Who signs the clients' certificates; empty: whoever the system trusts."""
    client_verify: bool = False
    """Only clients with a certificate that `custom_ca` signed."""


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """Defaults are tensorflow_model_server's, except for `max_receive_bytes` and `max_queued`."""

    host: str = "0.0.0.0"  # noqa: S104 - as tensorflow_model_server; `appliance run` says 127.0.0.1
    port: int | None = 8500
    """[port] 0: any that is free; None: none, only the UNIX socket."""
    socket_path: str = ""
    """[grpc_socket_path] A UNIX socket in addition; empty: none."""
    ssl: Tls | None = None
    """[ssl_config_file] None: plain text."""
    threads: int = field(default_factory=lambda: 4 * (os.cpu_count() or 1))
    """[grpc_max_threads] Calls that run at once."""
    max_queued: int = 64
    """Calls that may wait, or are still being sent; any more are refused at once (RESOURCE_EXHAUSTED)."""
    max_receive_bytes: int = 256 << 20
    """Largest request; a larger one is refused when its length is announced, before it is read."""
    health_service: bool = False
    """[enable_grpc_healthcheck_service]"""
    tensor_content: bool = False
    """[enable_serialization_as_tensor_content] Answers as raw bytes in place of lists of values."""
    channel_arguments: str = ""
    """[grpc_channel_arguments] `key=value,key=value`; a value that is an int32 is sent as one."""


def parse_channel_arguments(text: str) -> dict[str, int | str]:
    """Raises: ApiError where an argument has no `=`."""
    arguments: dict[str, int | str] = {}
    for argument in filter(None, text.split(",")):
        key, equals, value = argument.partition("=")
        if not equals or not key:
            raise ApiError(f"The gRPC channel argument {argument!r} is not key=value; correct grpc_channel_arguments.")
        arguments[key] = _number(value)
    return arguments


def _number(value: str) -> int | str:
    try:
        number = int(value)
    except ValueError:
        return value
    return number if _INT32_MIN <= number <= _INT32_MAX else value
