"""Requests of many callers, joined to batches that a shared pool of threads runs."""

import threading
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Final, Protocol

from appliance.batching.errors import RESOURCE_EXHAUSTED, UNAVAILABLE, BatchError
from appliance.batching.parameters import BatchingParameters
from appliance.batching.queue import Batch, Queue
from appliance.batching.request import Call, Part, Request
from appliance.batching.rows import Array, Tensors, allowed_size, merged, parted, rows_of

_METRIC: Final = "/tensorflow/serving/batching_session/"
_LATENCY_US: Final = tuple(100 * 1.2**power for power in range(52))
_SIZES: Final = tuple(2.0**power for power in range(14))


class Observe(Protocol):
    """Where measurements go: a sample of a histogram with these bounds, or with none what a counter grows by."""

    def __call__(
        self, name: str, value: float, bounds: Sequence[float] | None, labels: Mapping[str, str], /
    ) -> object: ...


def _ignore(name: str, value: float, bounds: Sequence[float] | None, labels: Mapping[str, str], /) -> None:
    pass


class Batcher:
    """One queue for each key and set of inputs, as long as something waits in it; the queues take turns.

    So there is nothing to tell when a version is unloaded: a queue holds no model, and a request in it has a caller
    who borrows its version until it is answered.

    Threads: run() and stop() from any; a caller waits until its batch has run on a thread of the pool.
    """

    def __init__(self, parameters: BatchingParameters, *, observe: Observe = _ignore) -> None:
        """Start `num_batch_threads` daemon threads: a model that hangs does not keep the process from ending."""
        self.parameters = parameters
        self._observe = observe
        self._changed = threading.Condition()
        self._queues: dict[Hashable, Queue] = {}  # guarded by _changed; whose turn it is comes first
        self._is_stopped = False  # guarded by _changed
        self._threads = [
            threading.Thread(target=self._work, name=f"{parameters.thread_pool_name}-{number}", daemon=True)
            for number in range(parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def run(
        self,
        key: Hashable,
        call: Call,
        inputs: Tensors,
        *,
        deadline_s: float | None = None,
        parameters: BatchingParameters | None = None,
    ) -> dict[str, Array]:
        """Run `call` on these rows together with others of the same key, and return what it says of these.

        `key` names the version, the signature and the outputs: whose calls are interchangeable. `deadline_s`: the
        monotonic moment after which nobody wants the answer. `parameters`: the model's own; the pool stays.
        Raises: BatchError (INVALID_ARGUMENT, FAILED_PRECONDITION, RESOURCE_EXHAUSTED after the deadline, UNAVAILABLE
        where the queue is full), and what `call` raises.
        """
        rows = rows_of(inputs)
        request = Request(call, inputs, rows, now_s=time.monotonic(), deadline_s=deadline_s)
        place = (key, frozenset(inputs), parameters)
        self._enqueue(place, request, parameters or self.parameters)
        for _ in inputs:
            self._observe(f"{_METRIC}input_batch_size", rows, _SIZES, {})
        left_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
        if not request.wait(left_s):
            self._withdraw(place, request)
            request.wait(None)
        return request.result()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Turn further requests away, run what waits already; True when no thread is left after that time."""
        limit_s = time.monotonic() + timeout_s
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, limit_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _enqueue(self, place: Hashable, request: Request, parameters: BatchingParameters) -> None:
        with self._changed:
            if self._is_stopped:
                raise BatchError(UNAVAILABLE, "The server is stopping; ask another one.")
            queue = self._queues.get(place) or Queue(parameters)
            queue.put(request, request.queued_s)
            self._queues[place] = queue
            self._changed.notify()

    def _withdraw(self, place: Hashable, request: Request) -> None:
        """Its time is over: answered with an error at once if it still waits; what runs is let run."""
        with self._changed:
            queue = self._queues.get(place)
            if queue is None or not queue.withdraw(request):
                return
            if queue.is_empty:
                del self._queues[place]
        request.fail(_too_late())

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._try(batch)

    def _try(self, batch: Batch) -> None:
        try:
            self._execute(batch)
        except BaseException as error:  # noqa: BLE001 - the boundary: who asked is told, in their own threads
            for part in batch.parts:
                part.request.fail(error)

    def _next_batch(self) -> Batch | None:
        with self._changed:
            while True:
                now_s, next_s = time.monotonic(), float("inf")
                for place, queue in self._queues.items():
                    due_s = queue.due_s()
                    if due_s <= now_s or self._is_stopped:
                        return self._take(place, queue)
                    next_s = min(next_s, due_s)
                if self._is_stopped:
                    return None
                self._changed.wait(None if next_s == float("inf") else min(next_s - now_s, threading.TIMEOUT_MAX))

    def _take(self, place: Hashable, queue: Queue) -> Batch:
        batch = queue.take()
        del self._queues[place]
        if not queue.is_empty:
            self._queues[place] = queue  # the others first
        if self._queues:
            self._changed.notify()  # this thread looks after none of them while its batch runs
        return batch

    def _execute(self, batch: Batch) -> None:
        now_s = time.monotonic()
        parts = []
        for part in batch.parts:
            waited_us = (now_s - part.request.queued_s) * 1e6
            pool = {"thread_pool_name": self.parameters.thread_pool_name}
            self._observe(f"{_METRIC}queuing_latency", waited_us, _LATENCY_US, pool)
            if part.request.deadline_s is not None and part.request.deadline_s <= now_s:
                part.request.fail(_too_late())
            else:
                parts.append(part)
        if parts:
            self._run(parts, batch.parameters)

    def _run(self, parts: Sequence[Part], parameters: BatchingParameters) -> None:
        rows = sum(part.rows for part in parts)
        size = allowed_size(rows, parameters.allowed_batch_sizes)
        self._observe(f"{_METRIC}padding_size", size - rows, _SIZES, {"execution_batch_size": str(size)})
        self._observe(f"{_METRIC}processed_batch_size", size, _SIZES, {})
        inputs = merged([part.inputs for part in parts], size - rows, pads_shapes=parameters.pad_variable_length_inputs)
        self._observe(f"{_METRIC}wrapped_run_count", 1, None, {})
        outputs = parts[0].request.call(inputs)
        answers = parted(outputs, [part.rows for part in parts], size - rows)
        for part, answer in zip(parts, answers, strict=True):
            part.request.answer(part.number, answer)


def _too_late() -> BatchError:
    return BatchError(RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue")
