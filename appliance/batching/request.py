"""One request, from the moment it joins a queue until its caller has the answer."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from appliance.batching.rows import Array, Tensors

Call: TypeAlias = Callable[[Tensors], Tensors]
"""Runs the model on one batch."""


class Request:
    """Answered in one part, or in several where it was split. Threads: `answer` and `fail` from the pool's."""

    def __init__(self, call: Call, inputs: Tensors, rows: int, *, now_s: float, deadline_s: float | None) -> None:
        self.call = call
        self.inputs = inputs
        self.rows = rows
        self.queued_s = now_s
        self.deadline_s = deadline_s
        self.parts = 1
        self._lock = threading.Lock()
        self._answers: dict[int, Tensors] = {}  # guarded by _lock
        self._error: BaseException | None = None  # guarded by _lock
        self._done = threading.Event()

    def answer(self, number: int, outputs: Tensors) -> None:
        """One part has run."""
        with self._lock:
            self._answers[number] = outputs
            is_whole = len(self._answers) == self.parts
        if is_whole:
            self._done.set()

    def fail(self, error: BaseException) -> None:
        """One part could not be run: the others are of no use any more. The first error counts."""
        with self._lock:
            self._error = self._error or error
        self._done.set()

    def wait(self, timeout_s: float | None) -> bool:
        """Whether there is an answer or an error by then."""
        return self._done.wait(timeout_s)

    def result(self) -> dict[str, Array]:
        """The answer, when there is one. Raises what the batch raised."""
        if self._error is not None:
            raise self._error
        parts = [self._answers[number] for number in range(self.parts)]
        if len(parts) == 1:
            return dict(parts[0])
        return {alias: np.concatenate([part[alias] for part in parts]) for alias in parts[0]}


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What of a request is in one batch; mostly all of it."""

    request: Request
    number: int
    inputs: Tensors
    rows: int


def split(request: Request, room: int, size: int) -> list[Part]:
    """Parts of at most `size` rows, the first of at most `room` if that is not 0."""
    if request.rows <= (room or size):
        return [Part(request, 0, request.inputs, request.rows)]
    parts: list[Part] = []
    begin = 0
    while begin < request.rows:
        end = min(request.rows, begin + (room or size))
        rows = {alias: array[begin:end] for alias, array in request.inputs.items()}
        parts.append(Part(request, len(parts), rows, end - begin))
        begin, room = end, 0
    request.parts = len(parts)
    return parts
