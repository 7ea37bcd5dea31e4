"""The Manager of this process as a backend."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from appliance.dataplane.backend import Outline
from appliance.dataplane.errors import Code, RequestError, request_error
from appliance.errors import ApplianceError
from appliance.runtimes.model import Array, Model
from appliance.serving import Manager, NotServing, ServableId, ServableState

Labels = Callable[[str], Mapping[str, int]]


class LocalBackend:
    """Threads: any. Borrowing costs microseconds; run() runs the model on the caller's own thread."""

    def __init__(self, manager: Manager[Model], labels: Labels) -> None:
        """`labels`: the version labels of a model, asked for each request."""
        self._manager = manager
        self._labels = labels

    @contextmanager
    def borrow(self, name: str, version: int | None) -> Iterator["LocalBorrowed"]:
        """See `Backend`."""
        handle = self._manager.borrow(name, version)
        try:
            handle.__enter__()
        except NotServing as error:
            raise request_error(error) from error
        try:
            yield LocalBorrowed(handle.id, handle.servable)
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

    __slots__ = ("_model", "id", "outline")

    def __init__(self, id: ServableId, model: Model) -> None:  # noqa: A002 - the word of the trade
        self.id = id
        self.outline = outline_of(model)
        self._model = model

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


def outline_of(model: Model) -> Outline:
    """What a model says of itself."""
    return Outline(model.signatures, model.signature_defs, model.metadata, model.engine, model.digest)


def check_deadline(deadline_s: float | None) -> None:
    """Raises: RequestError where it has passed."""
    if deadline_s is not None and time.monotonic() >= deadline_s:
        raise RequestError(Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
