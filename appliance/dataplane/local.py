"""A manager of this process as a backend."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from appliance.batching import Batcher, BatchingParameters
from appliance.dataplane.backend import Outline
from appliance.dataplane.errors import Code, RequestError, request_error
from appliance.errors import ApplianceError
from appliance.runtimes.model import Array, Model
from appliance.serving import AnyManager, ServableId, ServableState, ServingError

Labels = Callable[[str], Mapping[str, int]]
OwnBatching = Callable[[ServableId], BatchingParameters | None]
"""The batching parameters that a version brings with it; None: it is not batched."""


class LocalBackend:
    """Threads: any. Borrowing costs microseconds; run() runs the model on the caller's own thread, or in a batch."""

    def __init__(
        self,
        manager: AnyManager[Model],
        labels: Labels,
        batcher: Batcher | None = None,
        own_batching: OwnBatching | None = None,
    ) -> None:
        """`labels`: the version labels of a model, asked for each request. `batcher` belongs to the caller.

        `own_batching` None: every version is batched as the batcher's parameters say.
        """
        self._manager = manager
        self._labels = labels
        self._batcher = batcher
        self._own_batching = own_batching

    @contextmanager
    def borrow(self, name: str, version: int | None) -> Iterator["LocalBorrowed"]:
        """See `Backend`."""
        handle = self._manager.borrow(name, version)
        try:
            handle.__enter__()
        except ServingError as error:  # of a caching manager also that the version did not load
            raise request_error(error) from error
        batcher, own = self._batcher, None
        if self._own_batching is not None:
            own = self._own_batching(handle.id)
            batcher = None if own is None else batcher
        try:
            yield LocalBorrowed(handle.id, handle.servable, batcher, own)
        finally:
            handle.__exit__(None, None, None)

    def labels(self, name: str) -> Mapping[str, int]:
        """See `Backend`."""
        return self._labels(name)

    def states(self, name: str | None = None) -> Sequence[ServableState]:
        """See `Backend`."""
        return self._manager.states(name)


class LocalBorrowed:
    """A model of this process, while it is borrowed."""

    __slots__ = ("_batcher", "_model", "_parameters", "id", "outline")

    def __init__(
        self,
        id: ServableId,  # noqa: A002 - the word of the trade
        model: Model,
        batcher: Batcher | None = None,
        parameters: BatchingParameters | None = None,
    ) -> None:
        self.id = id
        self.outline = outline_of(model)
        self._model = model
        self._batcher = batcher
        self._parameters = parameters

    def run(
        self,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> dict[str, Array]:
        """See `Borrowed`."""
        check_deadline(deadline_s)
        try:
            if self._batcher is not None and inputs and self._is_whole(signature, outputs):
                return self._run_in_batch(self._batcher, signature, inputs, outputs, deadline_s)
            return self._model.run(signature, inputs, outputs)
        except ApplianceError as error:
            raise request_error(error) from error

    def run_together(
        self, signatures: Sequence[str], inputs: Mapping[str, Array], *, deadline_s: float | None = None
    ) -> dict[str, dict[str, Array]]:
        """See `Borrowed`."""
        check_deadline(deadline_s)
        try:
            return self._model.run_together(signatures, inputs)
        except ApplianceError as error:
            raise request_error(error) from error

    def _run_in_batch(
        self,
        batcher: Batcher,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] | None,
        deadline_s: float | None,
    ) -> dict[str, Array]:
        """All outputs of a signature: as in TensorFlow Serving, a request for some of them runs by itself."""
        model = self._model
        key = (self.id, signature)
        answer = batcher.run(
            key,
            lambda batch: model.run(signature, batch),
            inputs,
            deadline_s=deadline_s,
            parameters=self._parameters,
        )
        return answer if outputs is None else {alias: answer[alias] for alias in outputs}

    def _is_whole(self, signature: str, outputs: Sequence[str] | None) -> bool:
        known = self.outline.signatures.get(signature)
        return outputs is None or (known is not None and len(outputs) == len(known.outputs))


def outline_of(model: Model) -> Outline:
    """What a model says of itself."""
    return Outline(model.signatures, model.signature_defs, model.metadata, model.engine, model.digest)


def check_deadline(deadline_s: float | None) -> None:
    """Raises: RequestError where it has passed."""
    if deadline_s is not None and time.monotonic() >= deadline_s:
        raise RequestError(Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
