"""grpc.reflection.v1alpha: what a stranger's grpcurl needs to know of the services, from this package's own pool."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from appliance.protos import pool

SERVICE: Final = reflection.SERVICE_NAME
_AT_ONCE_MAX: Final = 2
"""Each client holds a thread from its first question until it goes."""


def add_reflection(services: Iterable[str], server: grpc.Server) -> None:
    """Tell of `services`, and of itself."""
    servicer = _Servicer([*services, SERVICE], pool=pool())
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)


class _Servicer(reflection.ReflectionServicer):  # type: ignore[misc] # it comes without types
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._places = threading.BoundedSemaphore(_AT_ONCE_MAX)

    def ServerReflectionInfo(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        if not self._places.acquire(blocking=False):
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"{_AT_ONCE_MAX} clients use reflection already; try again later."
            )
        try:
            yield from super().ServerReflectionInfo(request_iterator, context)
        finally:
            self._places.release()
