"""Basler's library, loaded when it is wanted, and its own words in ours."""

import warnings
from types import ModuleType

from camera.errors import CameraConfigError

INSTALL = "pip install 'inspection-appliance[pylon]'"


def load_pylon() -> ModuleType:
    """pypylon.pylon: 0.2 seconds, and 60 MB of memory. Raises: CameraConfigError with the command that installs it."""
    try:
        with warnings.catch_warnings():
            # Its wrapper (SWIG) crashes the process where somebody turned its own DeprecationWarnings into errors.
            warnings.simplefilter("ignore")
            from pypylon import pylon
    except ImportError as error:
        raise CameraConfigError(f"Basler's library is not installed ({error}): {INSTALL}") from error
    module: ModuleType = pylon
    return module


def genicam_error() -> type[Exception]:
    """What every call of the library may raise."""
    from pypylon import genicam

    kind: type[Exception] = genicam.GenericException
    return kind


def said(error: Exception) -> str:
    """The library's own sentence, without the place in its source that it adds."""
    sentence = str(error).partition(" : ")[0].partition(" (file '")[0].strip()
    return sentence.rstrip(".") or type(error).__name__
