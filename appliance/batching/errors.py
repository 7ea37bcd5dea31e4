"""What a request gets that cannot be batched, or waited too long."""

from typing import Final

from appliance.errors import ApplianceError

INVALID_ARGUMENT: Final = 3
RESOURCE_EXHAUSTED: Final = 8
FAILED_PRECONDITION: Final = 9
UNAVAILABLE: Final = 14


class BatchError(ApplianceError):
    """Said in TensorFlow Serving's words; `code` is the canonical code, as gRPC numbers them."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
