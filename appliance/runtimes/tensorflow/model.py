"""A model that TensorFlow runs: a SavedModel as it was exported, or a graph with its variables frozen in."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from appliance.runtimes.description import Description
from appliance.runtimes.errors import InvalidInput, LoadError
from appliance.runtimes.model import DEFAULT_SIGNATURE, Array, Signature, signature_of
from appliance.runtimes.tensorflow.call import Call
from appliance.runtimes.tensorflow.session import Session

_KINDS_MAX = 256
"""Kinds of loose calls that are kept ready. A stranger may ask for any subset of a model's outputs."""
_Wanted: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Signatures, and the outputs wanted of each."""


class TensorFlowModel:
    """Threads: predict() and bind() from any; close() once, when nobody calls."""

    def __init__(
        self,
        session: Session,
        description: Description,
        in_graph: Mapping[str, Signature],
        run_options: bytes,
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
        self._run_options = session.tf.TF_NewBufferFromString(run_options, len(run_options))
        self._free: dict[str, deque[Call]] = {}
        self._loose: dict[_Wanted, deque[Call]] = {}
        try:
            for key in self.signatures:
                self._free[key] = deque([self.bind(key)])
        except LoadError:
            self.close()
            raise

    def predict(self, inputs: Mapping[str, Array], signature: str = DEFAULT_SIGNATURE) -> dict[str, Array]:
        """Raises: InvalidInput, PredictError; RuntimeError after close()."""
        try:
            free = self._free[signature]
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
        return self._run(((signature, tuple(found.outputs if outputs is None else outputs)),), inputs)[signature]

    def run_together(self, signatures: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
        """Raises: InvalidInput, PredictError; RuntimeError after close()."""
        wanted = tuple((key, tuple(signature_of(self._in_graph, key).outputs)) for key in signatures)
        return self._run(wanted, inputs)

    def _run(self, wanted: _Wanted, inputs: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
        free = self._loose.get(wanted)
        if free is None:
            free = deque() if len(self._loose) >= _KINDS_MAX else self._loose.setdefault(wanted, deque())
        try:
            call = free.pop()
        except IndexError:
            call = self._loose_call(wanted)
        try:
            arrays = iter(call(inputs).values())
        finally:
            free.append(call)
        return {key: {alias: next(arrays) for alias in outputs} for key, outputs in wanted}

    def _loose_call(self, wanted: _Wanted) -> Call:
        """A call whose outputs come in the order of `wanted`. Raises: InvalidInput."""
        found = [signature_of(self._in_graph, key) for key, _ in wanted]
        inputs = found[0].inputs
        read = {spec.tensor for spec in inputs.values()}
        if any({spec.tensor for spec in one.inputs.values()} != read for one in found):
            raise InvalidInput(
                f"the signatures {', '.join(key for key, _ in wanted)} do not have the same input tensors"
            )
        chosen = [one.outputs[alias] for one, (_, aliases) in zip(found, wanted, strict=True) for alias in aliases]
        numbered = {str(number): spec for number, spec in enumerate(chosen)}
        return self._bind(Signature("+".join(key for key, _ in wanted), "", inputs, numbered), loose=True)

    def bind(self, signature: str = DEFAULT_SIGNATURE) -> Call:
        """Raises: InvalidInput, LoadError."""
        self._open()
        return self._bind(signature_of(self._in_graph, signature))

    def _bind(self, signature: Signature, *, loose: bool = False) -> Call:
        return Call(
            self._open(),
            signature,
            self._run_options,
            keeps_inputs=self.engine == "tensorflow-saved-model",
            loose=loose,
        )

    def close(self) -> None:
        """Give the memory back. Calls that were bound must not be used any more."""
        self._free.clear()
        self._loose.clear()
        if self._run_options:
            self._session.tf.TF_DeleteBuffer(self._run_options)
            self._run_options = 0
        self._session.close()

    def _open(self) -> Session:
        if not self._run_options:
            raise RuntimeError("the model is closed")
        return self._session
