"""What a loaded model is, whichever engine runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from appliance.runtimes.dtypes import tensorflow_name
from appliance.runtimes.errors import InvalidInput

Array: TypeAlias = npt.NDArray[Any]
Engine: TypeAlias = Literal["litert", "tensorflow-frozen", "tensorflow-saved-model"]
ENGINES: tuple[Engine, ...] = ("litert", "tensorflow-frozen", "tensorflow-saved-model")
"""Usually the fastest first."""
LAST_RESORT: Engine = "tensorflow-saved-model"
"""Serves whatever can be served at all: it runs what was exported, as tensorflow_model_server does."""

DEFAULT_SIGNATURE = "serving_default"
STRING_DTYPE = "object"
"""What a TensorSpec calls TensorFlow's string: an array of Python bytes of any length."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a signature."""

    alias: str
    """What callers call it: the key in a request."""
    dtype: str
    """A numpy dtype's name; `object` is TensorFlow's string: bytes of any length."""
    shape: tuple[int | None, ...] | None
    """None in it: any size; None for it: any number of dimensions."""
    tensor: str = ""
    """What the graph calls it, such as `serving_default_x:0`."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One function of a model: what goes in, what comes out."""

    key: str
    method: str
    """Such as `tensorflow/serving/predict`."""
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


class BoundCall(Protocol):
    """One signature, ready for one thread: the shortest way to an answer."""

    def __call__(self, inputs: Mapping[str, Array], /) -> dict[str, Array]:
        """As Model.predict(). One thread at a time; never waits for another caller."""


class Model(Protocol):
    """A version that can answer. Threads: every method may be called from any."""

    @property
    def engine(self) -> Engine: ...

    @property
    def engine_reason(self) -> str:
        """Why this engine and not a faster one: a sentence for the engineer."""

    @property
    def digest(self) -> str:
        """`sha256:...` over the version directory's files, their names and their bytes."""

    @property
    def signatures(self) -> Mapping[str, Signature]: ...

    @property
    def signature_defs(self) -> Mapping[str, bytes]:
        """Every signature as the SavedModel has it, also what cannot be called here: a serialized SignatureDef."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The version's `assets.extra/inspection.json` (labels, preprocessing); empty where it has none."""

    def predict(self, inputs: Mapping[str, Array], signature: str = DEFAULT_SIGNATURE) -> dict[str, Array]:
        """Run the model on the caller's own thread and return one array per output (read-only).

        Cost: what the model costs, and some microseconds. Raises: InvalidInput, PredictError.
        """

    def run(
        self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """As predict(), for requests from outside: shapes are the graph's to judge, and only `outputs` are computed.

        Aliases and dtypes fit: whoever calls has checked them. Raises: InvalidInput, PredictError.
        """

    def run_together(self, signatures: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
        """Run several signatures that read the same tensors, in one pass; outputs by signature.

        Raises: InvalidInput (also where their inputs are not the same tensors), PredictError.
        """

    def bind(self, signature: str = DEFAULT_SIGNATURE) -> BoundCall:
        """Make a call that the asking thread has for itself; do it once and keep it as long as the model."""


def signature_of(signatures: Mapping[str, Signature], key: str) -> Signature:
    """Raises: InvalidInput, naming the signatures there are."""
    found = signatures.get(key)
    if found is None:
        raise InvalidInput(f"the model has no signature {key!r}; it has {', '.join(sorted(signatures)) or 'none'}")
    return found


def checked_input(spec: TensorSpec, given: Array) -> Array:
    """Return `given` as the contiguous array that `spec` asks for; copied only where its memory has gaps.

    Nothing is cast: a camera that suddenly gives another dtype is a fault, not a conversion.
    Raises: InvalidInput.
    """
    if given.dtype != spec.dtype and not (spec.dtype == STRING_DTYPE and given.dtype.kind == "S"):
        raise InvalidInput(f"input {spec.alias!r} is {given.dtype.name}; the model takes {spec.dtype}")
    if spec.shape is not None and not fits(spec.shape, given.shape):
        raise InvalidInput(f"input {spec.alias!r} has shape {list(given.shape)}; the model takes {shown(spec.shape)}")
    return given if given.flags.c_contiguous else np.ascontiguousarray(given)


def check_dtypes(signature: Signature, given: Mapping[str, Array]) -> None:
    """For engines that do not say it by themselves. Raises: InvalidInput, in TensorFlow's words."""
    for number, (alias, spec) in enumerate(sorted(signature.inputs.items())):
        have = given[alias].dtype if alias in given else None
        if have is not None and have != spec.dtype and not (spec.dtype == STRING_DTYPE and have.kind == "S"):
            wanted, found = tensorflow_name(spec.dtype), tensorflow_name(have.name)
            raise InvalidInput(f"Expects arg[{number}] to be {wanted} but {found} is provided")


def check_names(signature: Signature, given: Mapping[str, Array]) -> None:
    """Raises: InvalidInput where inputs are missing, or there are some that the signature does not have."""
    if given.keys() != signature.inputs.keys():
        raise InvalidInput(
            f"signature {signature.key!r} takes the inputs {sorted(signature.inputs)}; given were {sorted(given)}"
        )


def fits(wanted: tuple[int | None, ...], given: tuple[int, ...]) -> bool:
    return len(wanted) == len(given) and all(
        want is None or want == have for want, have in zip(wanted, given, strict=True)
    )


def shown(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "any shape"
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"


NOTHING: Mapping[str, Any] = MappingProxyType({})
