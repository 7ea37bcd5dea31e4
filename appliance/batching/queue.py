"""The batches of one signature that wait for a thread: pure bookkeeping, no threads and no clock."""

from collections import deque

from appliance.batching.errors import INVALID_ARGUMENT, UNAVAILABLE, BatchError
from appliance.batching.parameters import BatchingParameters
from appliance.batching.request import Part, Request, split


class Batch:
    """Parts that run together."""

    def __init__(self, parameters: BatchingParameters, opened_s: float) -> None:
        self.parameters = parameters
        self.opened_s = opened_s
        self.parts: list[Part] = []
        self.rows = 0

    def add(self, part: Part) -> None:
        self.parts.append(part)
        self.rows += part.rows


class Queue:
    """The last batch is open: it takes more until it is full, or its time has come. Threads: the owner's lock."""

    def __init__(self, parameters: BatchingParameters) -> None:
        self._parameters = parameters
        self._batches: deque[Batch] = deque()

    @property
    def is_empty(self) -> bool:
        return not self._batches

    def put(self, request: Request, now_s: float) -> None:
        """Queue all of a request, or nothing. Raises: BatchError (INVALID_ARGUMENT, UNAVAILABLE)."""
        self._check_room(request)
        size = self._parameters.execution_size
        if self._parameters.enable_large_batch_splitting:
            parts = split(request, size - self._open_rows, size)
        else:
            parts = [Part(request, 0, request.inputs, request.rows)]
        for part in parts:
            if not self._batches or self._open_rows + part.rows > size:
                self._batches.append(Batch(self._parameters, now_s))
            self._batches[-1].add(part)

    def due_s(self) -> float:
        """When the next batch may run; -inf: now, inf: never, since nothing waits."""
        if not self._batches:
            return float("inf")
        first = self._batches[0]
        if len(self._batches) > 1 or first.rows >= self._parameters.execution_size:
            return float("-inf")
        return first.opened_s + self._parameters.batch_timeout_micros / 1e6

    def take(self) -> Batch:
        """The batch that waits longest; no request joins it any more."""
        return self._batches.popleft()

    def withdraw(self, request: Request) -> bool:
        """Take a request out again; False where some of it runs already."""
        held = sum(part.request is request for batch in self._batches for part in batch.parts)
        if held < request.parts:
            return False
        for batch in self._batches:
            batch.parts = [part for part in batch.parts if part.request is not request]
            batch.rows = sum(part.rows for part in batch.parts)
        self._batches = deque(batch for batch in self._batches if batch.parts)
        return True

    @property
    def _open_rows(self) -> int:
        return self._batches[-1].rows if self._batches else 0

    def _check_room(self, request: Request) -> None:
        parameters = self._parameters
        if request.rows > parameters.max_batch_size:
            raise BatchError(
                INVALID_ARGUMENT,
                f"Task size {request.rows} is larger than maximum input batch size {parameters.max_batch_size}",
            )
        waiting = max(1, len(self._batches))
        size = parameters.execution_size
        full = "The batch scheduling queue to which this task was submitted is full; "
        if not parameters.enable_large_batch_splitting:
            if self._open_rows + request.rows > size and waiting >= parameters.queue_size:
                raise BatchError(
                    UNAVAILABLE,
                    f"{full}currently {waiting} batches enqueued and max_enqueued_batches is {parameters.queue_size}",
                )
            return
        room = (parameters.queue_size - waiting) * size + size - self._open_rows
        if request.rows > room:
            raise BatchError(
                UNAVAILABLE,
                f"{full}task size is {request.rows} but scheduling capacity is only {room} "
                f"(num_enqueued_batches={waiting}, max_enqueued_batches={parameters.queue_size}, "
                f"open_batch_size={self._open_rows}, max_execution_batch_size={size})",
            )
