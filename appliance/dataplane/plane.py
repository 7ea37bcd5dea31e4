"""The calls of TensorFlow Serving, on arrays: who is asked, what is checked in which order, and in which words."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from appliance.dataplane.backend import Backend, Borrowed
from appliance.dataplane.metrics import Metrics
from appliance.dataplane.spec import ModelSpec
from appliance.runtimes.model import Array, Signature
from appliance.serving import ServableId, ServableState


@dataclass(frozen=True, slots=True)
class Predicted:
    """An answer: which version and signature gave it, and one array per output, in the order asked for."""

    id: ServableId
    signature: str
    outputs: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Classifications:
    """For each example its (label, score) pairs; a label is "" where the model gives scores only."""

    id: ServableId
    signature: str
    examples: Sequence[Sequence[tuple[str, float]]]


@dataclass(frozen=True, slots=True)
class Regressions:
    """One value per example."""

    id: ServableId
    signature: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Task:
    """One of several questions about the same examples."""

    spec: ModelSpec
    method: str
    """`tensorflow/serving/classify` or `tensorflow/serving/regress`."""


class DataPlane:
    """What gRPC and REST call. Threads: any; a call blocks for as long as the model takes.

    `examples` are serialized tensorflow.Example messages, a context already merged into each.
    """

    def __init__(self, backend: Backend, metrics: Metrics, *, check_method_names: bool = False) -> None:
        """`check_method_names`: tensorflow_model_server's --enable_signature_method_name_check."""
        self.backend = backend
        self.metrics = metrics
        self._check_method_names = check_method_names

    def borrow(self, spec: ModelSpec) -> AbstractContextManager[Borrowed]:
        """Find the version that `spec` means.

        Raises: RequestError, in TensorFlow Serving's words (no name, unknown label, `Servable not found for ...`).
        """
        raise NotImplementedError

    def signature_to_predict(self, borrowed: Borrowed, key: str) -> Signature:
        """The signature of that key ("": serving_default), if Predict may be called on it. Raises: RequestError."""
        raise NotImplementedError

    def predict(
        self,
        borrowed: Borrowed,
        key: str,
        inputs: Mapping[str, Array],
        output_filter: Sequence[str] = (),
        *,
        deadline_s: float | None = None,
    ) -> Predicted:
        """Check aliases, defaults, dtypes and the filter as predict_util.cc does; run. Raises: RequestError."""
        raise NotImplementedError

    def classify(
        self, borrowed: Borrowed, key: str, examples: Sequence[bytes], *, deadline_s: float | None = None
    ) -> Classifications:
        """As classifier.cc. Raises: RequestError."""
        raise NotImplementedError

    def regress(
        self, borrowed: Borrowed, key: str, examples: Sequence[bytes], *, deadline_s: float | None = None
    ) -> Regressions:
        """As regressor.cc. Raises: RequestError."""
        raise NotImplementedError

    def multi_inference(
        self, tasks: Sequence[Task], examples: Sequence[bytes], *, deadline_s: float | None = None
    ) -> Sequence[Classifications | Regressions]:
        """As multi_inference.cc: one model, distinct signatures, one pass; answers in the tasks' order.

        Raises: RequestError.
        """
        raise NotImplementedError

    def states(self, name: str, version: int | None = None) -> Sequence[ServableState]:
        """As get_model_status_impl.cc: the versions of a model, the newest first. Raises: RequestError (NOT_FOUND)."""
        raise NotImplementedError
