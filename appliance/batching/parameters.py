"""How requests are joined: TensorFlow Serving's BatchingParameters, as the batcher needs them."""

import os
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from appliance.batching.errors import INVALID_ARGUMENT, BatchError


@dataclass(frozen=True, slots=True)
class BatchingParameters:
    """Checked when made. Raises: BatchError (INVALID_ARGUMENT), in TensorFlow Serving's words where it has some."""

    max_batch_size: int = 1000
    """Rows of one batch; with large batch splitting, rows of one request."""
    batch_timeout_micros: int = 0
    """How long the first request of a batch waits for others. 0: until a thread is free."""
    max_enqueued_batches: int = 10
    """Batches of one queue that wait for a thread; a request for which another were needed is turned away."""
    num_batch_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Batches that run at the same time, of all queues together."""
    thread_pool_name: str = "batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()
    """What the model is given, ascending; a batch between two of them is filled up. Empty: any number of rows."""
    pad_variable_length_inputs: bool = False
    """Requests of different shapes share a batch: the smaller are filled up."""
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int = 0
    """Rows of one batch where requests are split. 0: max_batch_size."""

    def __post_init__(self) -> None:
        _check_positive("max_batch_size", self.max_batch_size)
        _check_positive("num_batch_threads", self.num_batch_threads)
        _check_not_negative("batch_timeout_micros", self.batch_timeout_micros)
        _check_not_negative("max_enqueued_batches", self.max_enqueued_batches)
        _check_not_negative("max_execution_batch_size", self.max_execution_batch_size)
        if self.enable_large_batch_splitting and self.execution_size > self.max_batch_size:
            raise BatchError(
                INVALID_ARGUMENT,
                "When enable_large_batch_splitting is true, max_batch_size must be greater than or equal to "
                f"max_execution_batch_size; they are {self.max_batch_size} and {self.max_execution_batch_size}",
            )
        if self.allowed_batch_sizes:
            self._check_allowed()

    @property
    def execution_size(self) -> int:
        """Rows of one batch at most."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size:
            return self.max_execution_batch_size
        return self.max_batch_size

    @property
    def queue_size(self) -> int:
        """`max_enqueued_batches`, of which 0 has always meant 1."""
        return max(1, self.max_enqueued_batches)

    def _check_allowed(self) -> None:
        sizes = self.allowed_batch_sizes
        if sizes[0] < 1 or any(size <= before for before, size in pairwise(sizes)):
            raise BatchError(INVALID_ARGUMENT, "allowed_batch_sizes entries must be monotonically increasing")
        if sizes[-1] != self.execution_size:
            wanted = (
                "be equal to max_execution_batch_size" if self.enable_large_batch_splitting else "match max_batch_size"
            )
            raise BatchError(
                INVALID_ARGUMENT,
                f"Last entry in allowed_batch_sizes must {wanted}; last entry was {sizes[-1]}; "
                f"expected {self.execution_size}",
            )


_WRAPPED = (
    "max_batch_size",
    "batch_timeout_micros",
    "max_enqueued_batches",
    "num_batch_threads",
    "thread_pool_name",
    "enable_large_batch_splitting",
    "max_execution_batch_size",
)


def parameters_of(message: Any) -> BatchingParameters:
    """What a tensorflow.serving.BatchingParameters message says; what it leaves out has its default.

    Raises: BatchError.
    """
    given = {name: getattr(message, name).value for name in _WRAPPED if message.HasField(name)}
    return BatchingParameters(
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        **given,
    )


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise BatchError(INVALID_ARGUMENT, f"{name} must be positive; was {value}")


def _check_not_negative(name: str, value: int) -> None:
    if value < 0:
        raise BatchError(INVALID_ARGUMENT, f"{name} must be non-negative; was {value}")
