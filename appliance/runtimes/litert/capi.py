"""LiteRT's C API, found in the installed wheel and declared once.

The wheel's own Python classes hold the interpreter's lock while they read a model and pack its weights (0.4 s for
a ResNet-50, measured); these calls do not. `quick` and `slow` as in TensorFlow's capi. The API is not promised to stay
as it is, so a version is first tried by the preparing process: where the calls do not fit, that one dies and not the
line.
"""

import ctypes
import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Final

from appliance.runtimes.errors import LoadError
from appliance.runtimes.library import open_library

_LIBRARY = "libLiteRt.so"
_PACKAGE = "ai-edge-litert"
_VERSION_MIN = (2, 1, 6)
"""From here on a model is made with an environment; before it, the same function took other arguments."""

Pointer = ctypes.c_void_p
RANK_MAX: Final = 8
CPU: Final = 1
_CPU_SETTINGS = b"xnnpack"
_AUTO_REGISTER, _LOG_SEVERITY = 24, 25
_INT, _WARNING = 2, 2

STATUS: Final = {
    1: "invalid argument",
    2: "out of memory",
    3: "runtime failure",
    4: "an input is missing",
    5: "not supported",
    6: "not found",
    8: "wrong version",
    500: "the file cannot be read",
    501: "the file is damaged",
    504: "compilation failed",
}
OUT_OF_MEMORY: Final = 2


class Layout(ctypes.Structure):
    """LiteRtLayout."""

    _fields_ = (
        ("rank_and_flag", ctypes.c_uint32),
        ("dimensions", ctypes.c_int32 * RANK_MAX),
        ("strides", ctypes.c_uint32 * RANK_MAX),
    )

    @property
    def shape(self) -> tuple[int, ...]:
        """A size below 0 is open."""
        return tuple(self.dimensions[: self.rank_and_flag & 0x7F])


class TensorType(ctypes.Structure):
    """LiteRtRankedTensorType."""

    _fields_ = (("element", ctypes.c_int32), ("layout", Layout))

    @classmethod
    def of(cls, element: int, shape: tuple[int, ...]) -> "TensorType":
        layout = Layout(len(shape), (ctypes.c_int32 * RANK_MAX)(*shape))
        return cls(element, layout)


class _Any(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int32), ("value", ctypes.c_int64))


class _EnvironmentOption(ctypes.Structure):
    _fields_ = (("tag", ctypes.c_int32), ("value", _Any))


_P, _S, _Z, _I = Pointer, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
_OUT = Pointer

_QUICK: dict[str, tuple[Any, ...]] = {
    "CreateEnvironment": (_I, _P, _OUT),
    "CreateOptions": (_OUT,),
    "SetOptionsHardwareAccelerators": (_P, _I),
    "DestroyOptions": (_P,),
    "CreateOpaqueOptions": (_S, _P, _P, _OUT),
    "AddOpaqueOptions": (_P, _P),
    "GetNumModelSignatures": (_P, _OUT),
    "GetModelSignature": (_P, _Z, _OUT),
    "GetSignatureKey": (_P, _OUT),
    "GetNumSignatureInputs": (_P, _OUT),
    "GetNumSignatureOutputs": (_P, _OUT),
    "GetSignatureInputName": (_P, _Z, _OUT),
    "GetSignatureOutputName": (_P, _Z, _OUT),
    "GetSignatureInputTensorByIndex": (_P, _Z, _OUT),
    "GetSignatureOutputTensorByIndex": (_P, _Z, _OUT),
    "GetRankedTensorType": (_P, _OUT),
    "GetModelMetadata": (_P, _S, _OUT, ctypes.POINTER(_Z)),
    "CreateTensorBufferFromHostMemory": (_P, _P, _Z, _P, _OUT),
    "DestroyTensorBuffer": (_P,),
}
_SLOW: dict[str, tuple[Any, ...]] = {
    "CreateModelFromBuffer": (_P, _P, _Z, _OUT),
    "DestroyModel": (_P,),
    "CreateCompiledModel": (_P, _P, _P, _OUT),
    "DestroyCompiledModel": (_P,),
    "CompiledModelResizeInputTensor": (_P, _Z, _Z, _P, _Z),
    "CompiledModelResizeInputTensorNonStrict": (_P, _Z, _Z, _P, _Z),
    "GetCompiledModelOutputTensorLayouts": (_P, _Z, _Z, _P, ctypes.c_bool),
    "RunCompiledModel": (_P, _Z, _Z, _P, _Z, _P),
}


class StatusError(Exception):
    """LiteRT said no."""

    def __init__(self, code: int, function: str) -> None:
        super().__init__(f"{function}: {STATUS.get(code, f'status {code}')}")
        self.code = code


class LiteRt:
    """The declared functions, by their C names without `LiteRt`. Threads: any."""

    def __init__(self, library: Path) -> None:
        """Raises: LoadError where a function is missing, OSError where the library cannot be loaded."""
        for table, loaded in zip((_QUICK, _SLOW), open_library(library), strict=True):
            for name, arguments in table.items():
                if not hasattr(loaded, f"LiteRt{name}"):
                    raise LoadError(f"{library} lacks LiteRt{name}; install another version of {_PACKAGE}")
                function = loaded[f"LiteRt{name}"]
                function.argtypes = arguments
                function.restype = None if name.startswith("Destroy") else ctypes.c_int
                setattr(self, name, function)
        self.environment = self._environment()

    def __getattr__(self, name: str) -> Any:
        """Only for type checkers: every declared function was set at construction."""
        raise AttributeError(name)

    def made(self, name: str, *arguments: object, kind: Any = Pointer) -> Any:
        """Call a function whose last argument is where it puts what it made. Raises: StatusError."""
        result = kind()
        self.checked(name, *arguments, ctypes.byref(result))
        return result if isinstance(result, ctypes.Structure) else result.value

    def checked(self, name: str, *arguments: object) -> None:
        """Raises: StatusError."""
        status = getattr(self, name)(*arguments)
        if status:
            raise StatusError(status, name)

    def cpu_settings(self, text: str) -> int:
        """Make LiteRtOpaqueOptions of the CPU's settings in TOML; whoever gets them frees them. Raises: StatusError."""
        libc = ctypes.PyDLL(None)
        libc.strdup.restype, libc.strdup.argtypes = Pointer, (_S,)
        free = ctypes.cast(libc.free, Pointer)
        made: int = self.made("CreateOpaqueOptions", _CPU_SETTINGS, libc.strdup(text.encode()), free)
        return made

    def _environment(self) -> int:
        options = (_EnvironmentOption * 2)(
            _EnvironmentOption(_AUTO_REGISTER, _Any(_INT, CPU)),
            _EnvironmentOption(_LOG_SEVERITY, _Any(_INT, _WARNING)),
        )
        try:
            made: int = self.made("CreateEnvironment", len(options), options)
        except StatusError:  # a version that does not know these options: it does the same, and says more
            made = self.made("CreateEnvironment", 0, None)
        return made


def installed_version() -> str:
    """Raises: LoadError."""
    try:
        return importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise LoadError(f"LiteRT is not installed here; install the package {_PACKAGE}") from error


@cache
def litert() -> LiteRt:
    """The library, loaded once: some milliseconds. Raises: LoadError."""
    version = installed_version()
    if tuple(int(part) for part in version.split(".")[:3] if part.isdecimal()) < _VERSION_MIN:
        raise LoadError(f"{_PACKAGE} {version} is too old; install {'.'.join(map(str, _VERSION_MIN))} or newer")
    spec = importlib.util.find_spec("ai_edge_litert")
    for place in (spec and spec.submodule_search_locations) or ():
        library = Path(place) / _LIBRARY
        if library.is_file():
            try:
                return LiteRt(library)
            except (OSError, StatusError) as error:
                raise LoadError(f"LiteRT's library cannot be used: {error}") from error
    raise LoadError(f"LiteRT is not installed here (no {_LIBRARY}); install the package {_PACKAGE}")
