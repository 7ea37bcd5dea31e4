"""A model that TensorFlow runs: a SavedModel as it was exported, or a graph with its variables frozen in."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

from appliance.runtimes.description import Description
from appliance.runtimes.errors import LoadError
from appliance.runtimes.model import DEFAULT_SIGNATURE, Array, Signature, signature_of
from appliance.runtimes.tensorflow.call import Call
from appliance.runtimes.tensorflow.session import Session
from appliance.runtimes.tensorflow.settings import RUN_ON_CALLERS_THREAD


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
        self.metadata: Mapping[str, Any] = description.metadata
        self._in_graph = in_graph
        self._session = session
        self._run_options = session.tf.TF_NewBufferFromString(RUN_ON_CALLERS_THREAD, len(RUN_ON_CALLERS_THREAD))
        self._free: dict[str, deque[Call]] = {}
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

    def bind(self, signature: str = DEFAULT_SIGNATURE) -> Call:
        """Raises: InvalidInput, LoadError."""
        return Call(
            self._open(),
            signature_of(self._in_graph, signature),
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
