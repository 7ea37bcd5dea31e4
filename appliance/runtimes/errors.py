"""What can go wrong between a version directory and an answer. LoadError and LoadRefused are serving's.

ServingError
└── LoadError              this attempt to load failed; the next may succeed
    └── LoadRefused        this content never loads: an unknown operation, variables that nobody finds
        ├── NotASavedModel the directory is not what it should be
        ├── NotServable    what TensorFlow refuses to load, or to run the first time
        └── WarmUpFailed   a recorded request that it came with did not succeed
ApplianceError
├── InvalidInput           the caller's array does not fit the signature; the model is well
└── PredictError           the model itself failed on an input that fits
"""

from appliance.errors import ApplianceError
from appliance.serving import LoadError, LoadRefused

__all__ = ["InvalidInput", "LoadError", "LoadRefused", "NotASavedModel", "NotServable", "PredictError", "WarmUpFailed"]


class NotASavedModel(LoadRefused):
    """The directory holds no SavedModel, or a damaged one. Nothing was loaded; another try gives the same."""

    code = 5
    """NOT_FOUND, as TensorFlow says it."""


class NotServable(LoadRefused):
    """TensorFlow refuses the version, at loading or at its first run. The sentence says what to do about it."""

    def __init__(self, message: str, code: int) -> None:
        """`code`: TensorFlow's own, a canonical code."""
        super().__init__(message)
        self.code = code


class WarmUpFailed(LoadRefused):
    """One of the version's recorded requests failed, or they cannot be read. Correct the record or the model."""

    def __init__(self, message: str, code: int) -> None:
        """`code`: the canonical code that the request got."""
        super().__init__(message)
        self.code = code


class InvalidInput(ApplianceError):
    """An input's name, dtype or shape is not what the signature says. Seen at predict(); correct the request."""


class PredictError(ApplianceError):
    """The model failed while it ran. Seen at predict(); that part gets `Undefined`, the model stays loaded."""

    def __init__(self, message: str, code: int = 13) -> None:
        """`code`: the engine's own, a canonical code; INTERNAL where it has none."""
        super().__init__(message)
        self.code = code
