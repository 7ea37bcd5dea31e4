"""What a request gets in place of an answer: one of the canonical codes, and one sentence."""

import enum

from appliance.errors import ApplianceError
from appliance.runtimes.errors import InvalidInput, PredictError
from appliance.serving import LoadCancelled, LoadError, NotAvailable, NotServing, OutOfResources, ServingError


class Code(enum.IntEnum):
    """The canonical codes, as gRPC, TensorFlow and absl::Status number them."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @property
    def http(self) -> int:
        """The HTTP status that TensorFlow Serving gives it (util/net_http, http_rest_api_util.cc)."""
        return _HTTP[self]


_HTTP = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


class RequestError(ApplianceError):
    """A request cannot be answered; the text is the caller's to read, the code its program's."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def request_error(error: ApplianceError) -> RequestError:
    """What the caller is told of an error that came from below."""
    if isinstance(error, RequestError):
        return error
    return RequestError(code_of(error), str(error))


def code_of(error: ApplianceError) -> Code:
    """The canonical code of an error of the serving core's or the runtimes'."""
    if isinstance(error, RequestError):
        return error.code
    own = getattr(error, "code", None)
    if isinstance(own, int) and own in Code._value2member_map_:
        return Code(own)
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    return Code.UNKNOWN


_CODES: dict[type[ApplianceError], Code] = {
    NotServing: Code.NOT_FOUND,
    NotAvailable: Code.UNKNOWN,
    OutOfResources: Code.RESOURCE_EXHAUSTED,
    LoadCancelled: Code.CANCELLED,
    LoadError: Code.UNKNOWN,
    ServingError: Code.UNKNOWN,
    InvalidInput: Code.INVALID_ARGUMENT,
    PredictError: Code.INTERNAL,
}
