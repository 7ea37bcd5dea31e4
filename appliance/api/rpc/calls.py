"""One unary call: bytes to a message, the client's deadline, and errors as statuses.

Messages are read here and not by grpc, so that bytes which are no message are an answer and not a traceback.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.message import DecodeError

from appliance.dataplane.errors import Code, request_error
from appliance.errors import ApplianceError
from appliance.protos import message

Answer = Callable[[Any, float | None], bytes]
"""From a request and the monotonic moment of its deadline to a serialized response. Raises: ApplianceError."""

DETAILS_MAX_BYTES: Final = 1024
_NEVER_S: Final = 86_400.0
_CUT: Final = "...TRUNCATED"
_STATUS: Final = {status.value[0]: status for status in grpc.StatusCode}


def unary(request_name: str, answer: Answer) -> grpc.RpcMethodHandler:
    """A handler for calls whose request is a message of that name."""
    request_class = message(request_name)

    def handle(content: bytes, context: grpc.ServicerContext) -> bytes:
        left_s = _left_s(context)
        if left_s is not None and left_s <= 0:
            _refuse(context, Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
        if not context.is_active():
            _refuse(context, Code.CANCELLED, "The client cancelled the call.")
        try:
            request = request_class.FromString(content)
        except DecodeError:
            _refuse(context, Code.INTERNAL, f"The request's bytes are no {request_name}.")
        try:
            return answer(request, None if left_s is None else time.monotonic() + left_s)
        except ApplianceError as error:
            refused = request_error(error)
            _refuse(context, refused.code, str(refused))
        except MemoryError:
            _refuse(context, Code.RESOURCE_EXHAUSTED, "There is not enough memory for this call; send less at once.")

    return grpc.unary_unary_rpc_method_handler(handle)


def limited(handler: grpc.RpcMethodHandler, places: threading.Semaphore) -> grpc.RpcMethodHandler:
    """The handler, for as many calls at once as there are places; the others wait, with their requests read."""

    def handle(content: bytes, context: grpc.ServicerContext) -> bytes:
        if not places.acquire(timeout=_left_s(context)):
            _refuse(context, Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
        try:
            answer: bytes = handler.unary_unary(content, context)
            return answer
        finally:
            places.release()

    return grpc.unary_unary_rpc_method_handler(handle)


def details(text: str) -> str:
    """A status' text as TensorFlow Serving sends it: its first 1024 bytes."""
    encoded = text.encode()
    if len(encoded) <= DETAILS_MAX_BYTES:
        return text
    return encoded[:DETAILS_MAX_BYTES].decode(errors="ignore") + _CUT


def _left_s(context: grpc.ServicerContext) -> float | None:
    """Seconds until the client's deadline; None where it has none, or one that no wait of ours reaches."""
    left_s = context.time_remaining()
    return None if left_s is None or left_s > _NEVER_S else float(left_s)


def _refuse(context: grpc.ServicerContext, code: Code, text: str) -> NoReturn:
    context.abort(_STATUS[int(code)], details(text))
    raise AssertionError("abort() does not return")
