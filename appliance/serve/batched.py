"""Any backend, its requests joined to batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from appliance.batching import Batcher, BatchError, BatchingParameters
from appliance.dataplane.backend import Backend, Borrowed, Outline
from appliance.dataplane.errors import request_error
from appliance.dataplane.metrics import Metrics
from appliance.runtimes.model import Array
from appliance.serving import ServableId, ServableState

ParametersOf = Callable[[ServableId], BatchingParameters | None]
"""A version's own parameters; None: it is not batched."""


class BatchedBackend:
    """Threads: any. A request waits until its batch has run on a thread of the batcher's."""

    def __init__(self, inner: Backend, batcher: Batcher, parameters_of: ParametersOf | None = None) -> None:
        """`parameters_of` None: every version is batched as the batcher's parameters say."""
        self._inner = inner
        self._batcher = batcher
        self._parameters_of = parameters_of

    @contextmanager
    def borrow(self, name: str, version: int | None) -> Iterator[Borrowed]:
        """See `Backend`."""
        with self._inner.borrow(name, version) as borrowed:
            if self._parameters_of is None:
                yield _BatchedBorrowed(borrowed, self._batcher, None)
                return
            own = self._parameters_of(borrowed.id)
            yield borrowed if own is None else _BatchedBorrowed(borrowed, self._batcher, own)

    def labels(self, name: str) -> Mapping[str, int]:
        """See `Backend`."""
        return self._inner.labels(name)

    def states(self, name: str | None = None) -> Sequence[ServableState]:
        """See `Backend`."""
        return self._inner.states(name)


class _BatchedBorrowed:
    """A version whose run() is joined with those of others that ask the same of it."""

    __slots__ = ("_batcher", "_inner", "_parameters")

    def __init__(self, inner: Borrowed, batcher: Batcher, parameters: BatchingParameters | None) -> None:
        self._inner = inner
        self._batcher = batcher
        self._parameters = parameters

    @property
    def id(self) -> ServableId:
        return self._inner.id

    @property
    def outline(self) -> Outline:
        return self._inner.outline

    def run(
        self,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> dict[str, Array]:
        if not inputs:  # nothing to join; such a signature is called for what it does
            return self._inner.run(signature, inputs, outputs, deadline_s=deadline_s)
        asked = None if outputs is None else tuple(outputs)
        try:
            return self._batcher.run(
                (self._inner.id, signature, asked),
                lambda joined: self._inner.run(signature, joined, asked),
                inputs,
                deadline_s=deadline_s,
                parameters=self._parameters,
            )
        except BatchError as error:
            raise request_error(error) from error

    def run_together(
        self, signatures: Sequence[str], inputs: Mapping[str, Array], *, deadline_s: float | None = None
    ) -> dict[str, dict[str, Array]]:
        """Not joined with others: as in TensorFlow Serving, whose queues are for single signatures."""
        return self._inner.run_together(signatures, inputs, deadline_s=deadline_s)


def observe_into(metrics: Metrics) -> Callable[[str, float, Sequence[float] | None, Mapping[str, str]], None]:
    """Where the batcher's measurements go."""

    def observe(name: str, value: float, bounds: Sequence[float] | None, labels: Mapping[str, str]) -> None:
        if bounds is None:
            metrics.count(name, int(value), **labels)
        else:
            metrics.sample(name, value, bounds, **labels)

    return observe
