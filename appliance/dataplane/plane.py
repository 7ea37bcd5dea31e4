"""The calls of TensorFlow Serving, on arrays: who is asked, what is checked in which order, and in which words."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from appliance.dataplane import examples as example_list
from appliance.dataplane.backend import Backend, Borrowed
from appliance.dataplane.errors import Code, RequestError
from appliance.dataplane.metrics import (
    EXAMPLE_COUNTS,
    LATENCY_US,
    REQUEST_EXAMPLE_COUNT_TOTAL,
    REQUEST_EXAMPLE_COUNTS,
    RUNTIME_LATENCY,
    Metrics,
)
from appliance.dataplane.multi_inference import Question, questions
from appliance.dataplane.predict import bound, check_dtypes, chosen
from appliance.dataplane.signatures import (
    CLASSIFY_METHOD,
    PREDICT_METHOD,
    REGRESS_METHOD,
    defaults_of,
    found,
    key_of,
)
from appliance.dataplane.spec import ModelSpec, Task
from appliance.runtimes.model import Array, Signature
from appliance.serving import ServableId, ServableState

FoundT = TypeVar("FoundT")


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

        Raises, here or on entering: RequestError, in TensorFlow Serving's words (no name, unknown label, `Servable not
        found for ...`).
        """
        if not spec.name:
            raise RequestError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        version = spec.version
        if spec.label is not None:
            version = self.backend.labels(spec.name).get(spec.label)
            if version is None:
                raise RequestError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.label}")
        return self.backend.borrow(spec.name, version)

    def signature_to_predict(self, borrowed: Borrowed, key: str) -> Signature:
        """The signature of that key ("": serving_default), if Predict may be called on it. Raises: RequestError."""
        key = key_of(key)
        signature = borrowed.outline.signatures.get(key) or found(
            borrowed.outline,
            key,
            RequestError(Code.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.'),
        )
        if self._check_method_names and signature.method not in _METHODS:
            raise RequestError(
                Code.INTERNAL,
                f"Expected prediction signature method_name to be one of {{{', '.join(_METHODS)}}}. "
                f"Was: {signature.method}",
            )
        return signature

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
        signature = self.signature_to_predict(borrowed, key)
        arrays = bound(signature, inputs, defaults_of(borrowed.outline, signature.key))
        wanted = chosen(signature, output_filter)
        check_dtypes(signature, arrays)
        outputs = self._timed(
            borrowed, "Predict", lambda: borrowed.run(signature.key, arrays, wanted, deadline_s=deadline_s)
        )
        return Predicted(borrowed.id, signature.key, outputs)

    def classify(
        self, borrowed: Borrowed, key: str, examples: Sequence[bytes], *, deadline_s: float | None = None
    ) -> Classifications:
        """As classifier.cc. Raises: RequestError."""
        signature = self._signature_of_examples(borrowed, key)
        wanted = example_list.to_classify(borrowed.outline, signature, check_method=self._check_method_names)
        outputs = self._run_examples(borrowed, "Classify", signature, examples, wanted, deadline_s)
        return Classifications(borrowed.id, signature.key, example_list.classified(outputs, len(examples)))

    def regress(
        self, borrowed: Borrowed, key: str, examples: Sequence[bytes], *, deadline_s: float | None = None
    ) -> Regressions:
        """As regressor.cc. Raises: RequestError."""
        signature = self._signature_of_examples(borrowed, key)
        wanted = example_list.to_regress(borrowed.outline, signature, check_method=self._check_method_names)
        outputs = self._run_examples(borrowed, "Regress", signature, examples, wanted, deadline_s)
        return Regressions(borrowed.id, signature.key, example_list.regressed(outputs, len(examples)))

    def multi_inference(
        self, tasks: Sequence[Task], examples: Sequence[bytes], *, deadline_s: float | None = None
    ) -> Sequence[Classifications | Regressions]:
        """As multi_inference.cc: one model, distinct signatures, one pass; answers in the tasks' order.

        The first task says which version. Raises: RequestError.
        """
        with self.borrow(tasks[0].spec if tasks else ModelSpec("")) as borrowed:
            asked = questions(borrowed.outline, tasks, check_method=self._check_method_names)
            given = example_list.tensor_of(examples)
            for one in asked:
                check_dtypes(one.signature, {example_list.INPUTS: given})
            outputs = self._timed(
                borrowed, "MultiInference", lambda: _run_together(borrowed, asked, given, deadline_s=deadline_s)
            )
            self._count_examples(borrowed.id.name, len(examples))
            return [_answer(borrowed.id, one, outputs[one.signature.key], len(examples)) for one in asked]

    def states(self, name: str, version: int | None = None) -> Sequence[ServableState]:
        """As get_model_status_impl.cc: the versions of a model, the newest first. Raises: RequestError (NOT_FOUND)."""
        known = [state for state in self.backend.states(name) if version in {None, state.id.version}]
        if not known:
            raise RequestError(
                Code.NOT_FOUND,
                f"Could not find any versions of model {name}"
                if version is None
                else f"Could not find version {version} of model {name}",
            )
        return known

    def _signature_of_examples(self, borrowed: Borrowed, key: str) -> Signature:
        key = key_of(key)
        missing = RequestError(Code.INVALID_ARGUMENT, f"No signature was found with the name: {key}")
        return found(borrowed.outline, key, missing)

    def _run_examples(
        self,
        borrowed: Borrowed,
        api: str,
        signature: Signature,
        examples: Sequence[bytes],
        wanted: Sequence[str],
        deadline_s: float | None,
    ) -> Mapping[str, Array]:
        arrays = {example_list.INPUTS: example_list.tensor_of(examples)}
        check_dtypes(signature, arrays)
        outputs = self._timed(borrowed, api, lambda: borrowed.run(signature.key, arrays, wanted, deadline_s=deadline_s))
        self._count_examples(borrowed.id.name, len(examples))
        return outputs

    def _timed(self, borrowed: Borrowed, api: str, run: Callable[[], FoundT]) -> FoundT:
        started = time.perf_counter_ns()
        outputs = run()
        took_us = (time.perf_counter_ns() - started) / 1000
        self.metrics.sample(
            RUNTIME_LATENCY, took_us, LATENCY_US, model_name=borrowed.id.name, API=api, runtime=_RUNTIME
        )
        return outputs

    def _count_examples(self, name: str, count: int) -> None:
        self.metrics.sample(REQUEST_EXAMPLE_COUNTS, count, EXAMPLE_COUNTS, model=name)
        self.metrics.count(REQUEST_EXAMPLE_COUNT_TOTAL, count, model=name)


def _run_together(
    borrowed: Borrowed, asked: Sequence[Question], given: Array, *, deadline_s: float | None
) -> Mapping[str, Mapping[str, Array]]:
    """One pass where all signatures read the same tensor, else one after the other: the answers are the same."""
    arrays = {example_list.INPUTS: given}
    if len(asked) > 1 and len({one.signature.inputs[example_list.INPUTS].tensor for one in asked}) == 1:
        return borrowed.run_together([one.signature.key for one in asked], arrays, deadline_s=deadline_s)
    return {
        one.signature.key: borrowed.run(one.signature.key, arrays, one.outputs, deadline_s=deadline_s) for one in asked
    }


def _answer(
    servable: ServableId, asked: Question, outputs: Mapping[str, Array], count: int
) -> Classifications | Regressions:
    wanted = {alias: outputs[alias] for alias in asked.outputs}
    if asked.method == CLASSIFY_METHOD:
        return Classifications(servable, asked.signature.key, example_list.classified(wanted, count))
    return Regressions(servable, asked.signature.key, example_list.regressed(wanted, count))


_METHODS = (PREDICT_METHOD, CLASSIFY_METHOD, REGRESS_METHOD)
_RUNTIME = "TF1"
"""What TensorFlow Serving calls a session."""
