"""A model that TensorFlow runs: a SavedModel as it was exported, or a graph with its variables frozen in."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from appliance.runtimes.description import Description
from appliance.runtimes.errors import InvalidInput, LoadError
from appliance.runtimes.model import DEFAULT_SIGNATURE, Array, Signature, signature_of
from appliance.runtimes.tensorflow.call import Call
from appliance.runtimes.tensorflow.session import Session
from appliance.runtimes.tensorflow.settings import RUN_ON_CALLERS_THREAD

_KINDS_MAX = 256
"""Kinds of calls that are kept ready: signatures, and the outputs asked of them. A stranger may ask for any subset."""
_Wanted: TypeAlias = tuple[tuple[str, ...], tuple[str, ...] | None]
"""Signatures, and the outputs wanted of a single one; None: all, and the inputs' shapes are checked."""


class TensorFlowModel:
    """Threads: predict() and bind() from any; close() once, when nobody calls."""

    def __init__(
        self,
        session: Session,
        description: Description,
        in_graph: Mapping[str, Signature],
        *,
        engine: Literal["tensorflow-frozen", "tensorflow-saved-model"],
        engine_reason: str,
        digest: str,
    ) -> None:
        """Take the session over; `in_graph` has the signatures as this graph names their tensors.

        Raises: LoadError where the graph lacks one.
        """
        self.engine = engine
        self.engine_reason = engine_reason
        self.digest = digest
        self.signatures: Mapping[str, Signature] = description.signatures
        self.signature_defs: Mapping[str, bytes] = description.signature_defs
        self.metadata: Mapping[str, Any] = description.metadata
        self._in_graph = in_graph
        self._session = session
        self._run_options = session.tf.TF_NewBufferFromString(RUN_ON_CALLERS_THREAD, len(RUN_ON_CALLERS_THREAD))
        self._free: dict[_Wanted, deque[Call]] = {}
        try:
            for key in self.signatures:
                self._free[(key,), None] = deque([self.bind(key)])
        except LoadError:
            self.close()
            raise

    def predict(self, inputs: Mapping[str, Array], signature: str = DEFAULT_SIGNATURE) -> dict[str, Array]:
        """Raises: InvalidInput, PredictError; RuntimeError after close()."""
        try:
            free = self._free[(signature,), None]
        except KeyError:
            self._open()
            signature_of(self.signatures, signature)
            raise
        try:
            call = free.pop()
        except IndexError:  # as many calls as there ever were callers at once
            call = self.bind(signature)
        try:
            return call(inputs)
        finally:
            free.append(call)

    def run(
        self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """Raises: InvalidInput, PredictError; RuntimeError after close()."""
        found = signature_of(self._in_graph, signature)
        return self._run(((signature,), tuple(found.outputs if outputs is None else outputs)), inputs)

    def run_together(self, signatures: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
        """Raises: InvalidInput, PredictError; RuntimeError after close()."""
        found = self._run((tuple(signatures), ()), inputs)
        results: dict[str, dict[str, Array]] = {key: {} for key in signatures}
        for place, array in found.items():
            key, _, alias = place.partition("/")
            results[key][alias] = array
        return results

    def _run(self, wanted: _Wanted, inputs: Mapping[str, Array]) -> dict[str, Array]:
        free = self._free.get(wanted)
        if free is None:
            if len(self._free) >= _KINDS_MAX:
                return self._lenient(wanted)(inputs)
            free = self._free.setdefault(wanted, deque())
        try:
            call = free.pop()
        except IndexError:
            call = self._lenient(wanted)
        try:
            return call(inputs)
        finally:
            free.append(call)

    def _lenient(self, wanted: _Wanted) -> Call:
        """A call that takes any shape and computes what is wanted."""
        keys, outputs = wanted
        found = [signature_of(self._in_graph, key) for key in keys]
        inputs = {alias: replace(spec, shape=None) for alias, spec in found[0].inputs.items()}
        if len(found) == 1:
            chosen = {alias: found[0].outputs[alias] for alias in outputs or ()}
        else:
            read = {spec.tensor for spec in inputs.values()}
            if any({spec.tensor for spec in one.inputs.values()} != read for one in found):
                raise InvalidInput(f"the signatures {', '.join(keys)} do not have the same input tensors")
            chosen = {f"{one.key}/{alias}": spec for one in found for alias, spec in one.outputs.items()}
        return self._bind(Signature("+".join(keys), "", inputs, chosen))

    def bind(self, signature: str = DEFAULT_SIGNATURE) -> Call:
        """Raises: InvalidInput, LoadError."""
        self._open()
        return self._bind(signature_of(self._in_graph, signature))

    def _bind(self, signature: Signature) -> Call:
        return Call(
            self._open(),
            signature,
            self._run_options,
            keeps_inputs=self.engine == "tensorflow-saved-model",
        )

    def close(self) -> None:
        """Give the memory back. Calls that were bound must not be used any more."""
        self._free.clear()
        if self._run_options:
            self._session.tf.TF_DeleteBuffer(self._run_options)
            self._run_options = 0
        self._session.close()

    def _open(self) -> Session:
        if not self._run_options:
            raise RuntimeError("the model is closed")
        return self._session
