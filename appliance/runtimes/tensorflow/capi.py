"""TensorFlow's C API, found in the installed wheel and declared once.

`slow` calls let other Python threads run meanwhile (loading, running, closing). `quick` calls last less than a
microsecond and keep the interpreter's lock: letting go of it would cost more than the call, and up to 5 ms to get
it back where other threads are busy.
"""

import ctypes
import importlib.util
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from appliance.runtimes.errors import LoadError
from appliance.runtimes.library import open_library

_FRAMEWORK, _CC = "libtensorflow_framework.so.2", "libtensorflow_cc.so.2"

Pointer = ctypes.c_void_p
Deallocator = ctypes.CFUNCTYPE(None, Pointer, ctypes.c_size_t, Pointer)

OK = 0
INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, UNIMPLEMENTED = 3, 5, 8, 12


class Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = (("data", Pointer), ("length", ctypes.c_size_t), ("deallocator", Pointer))


class Output(ctypes.Structure):
    """TF_Output: one tensor in a graph."""

    _fields_ = (("operation", Pointer), ("index", ctypes.c_int))


_P, _S, _I, _Z = Pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t

_QUICK: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_NewStatus": (_P, ()),
    "TF_DeleteStatus": (None, (_P,)),
    "TF_GetCode": (_I, (_P,)),
    "TF_Message": (_S, (_P,)),
    "TF_NewBuffer": (_P, ()),
    "TF_NewBufferFromString": (_P, (_S, _Z)),
    "TF_DeleteBuffer": (None, (_P,)),
    "TF_NewTensor": (_P, (_I, _P, _I, _P, _Z, _P, _P)),
    "TF_AllocateTensor": (_P, (_I, _P, _I, _Z)),
    "TF_DeleteTensor": (None, (_P,)),
    "TF_TensorData": (_P, (_P,)),
    "TF_TensorByteSize": (_Z, (_P,)),
    "TF_TensorType": (_I, (_P,)),
    "TF_NumDims": (_I, (_P,)),
    "TF_Dim": (ctypes.c_int64, (_P, _I)),
    "TF_NewGraph": (_P, ()),
    "TF_GraphOperationByName": (_P, (_P, _S)),
    "TF_OperationNumOutputs": (_I, (_P,)),
    "TF_OperationOutputType": (_I, (Output,)),
    "TF_NewSessionOptions": (_P, ()),
    "TF_SetConfig": (None, (_P, _P, _Z, _P)),
    "TF_DeleteSessionOptions": (None, (_P,)),
    "TF_NewImportGraphDefOptions": (_P, ()),
    "TF_DeleteImportGraphDefOptions": (None, (_P,)),
    "TF_Version": (_S, ()),
    "TF_StringInit": (None, (_P,)),
    "TF_StringCopy": (None, (_P, _S, _Z)),
    "TF_StringGetDataPointer": (_P, (_P,)),
    "TF_StringGetSize": (_Z, (_P,)),
    "TF_StringDealloc": (None, (_P,)),
}
_SLOW: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_LoadSessionFromSavedModel": (_P, (_P, _P, _S, _P, _I, _P, _P, _P)),
    "TF_GraphImportGraphDef": (None, (_P, _P, _P, _P)),
    "TF_NewSession": (_P, (_P, _P, _P)),
    "TF_SessionRun": (None, (_P, _P, _P, _P, _I, _P, _P, _I, _P, _I, _P, _P)),
    "TF_CloseSession": (None, (_P, _P)),
    "TF_DeleteSession": (None, (_P, _P)),
    "TF_DeleteGraph": (None, (_P,)),
}


class TensorFlow:
    """The declared functions, by their C names. Threads: any."""

    def __init__(self, folder: Path) -> None:
        """Raises: LoadError where the libraries are missing, or lack a function that is needed."""
        # Read by the library while it loads: what it says at INFO level is for its own developers.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        opened = [open_library(folder / name) for name in (_FRAMEWORK, _CC)]
        quick, slow = zip(*opened, strict=True)
        for table, libraries in ((_QUICK, quick), (_SLOW, slow)):
            for name, (result, arguments) in table.items():
                function = _find(name, libraries)
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)
        # A deallocator for memory that stays ours. TF_Version ignores what it is called with and touches nothing;
        # a Python callback here would cost more than the whole tensor.
        self.keep = ctypes.cast(_find("TF_Version", quick), Pointer)

    def __getattr__(self, name: str) -> Any:
        """Only for type checkers: every declared function was set at construction."""
        raise AttributeError(name)

    @property
    def version(self) -> str:
        version: bytes = self.TF_Version()
        return version.decode()


def _find(name: str, libraries: Sequence[Any]) -> Any:
    for library in libraries:
        if hasattr(library, name):
            return library[name]  # by key: a function object of our own, with our own declaration
    raise LoadError(f"TensorFlow's libraries lack {name}; install tensorflow 2.16 or newer")


def folder() -> Path:
    """Find the installed package's folder without importing it. Raises: LoadError."""
    spec = importlib.util.find_spec("tensorflow")
    for place in (spec and spec.submodule_search_locations) or ():
        if (Path(place) / _CC).is_file():
            return Path(place)
    raise LoadError(f"TensorFlow is not installed here (no {_CC}); install the package `tensorflow`")


@cache
def tensorflow() -> TensorFlow:
    """The libraries, loaded once: 0.3 s and some 100 MB at the first call. Raises: LoadError."""
    try:
        return TensorFlow(folder())
    except OSError as error:
        raise LoadError(f"TensorFlow's libraries cannot be loaded: {error}") from error
