"""Requests become one batch, and a batch's answer theirs: along dimension 0, in order."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from appliance.batching.errors import FAILED_PRECONDITION, INVALID_ARGUMENT, BatchError

Array: TypeAlias = npt.NDArray[Any]
Tensors: TypeAlias = Mapping[str, Array]


def rows_of(inputs: Tensors) -> int:
    """How many rows a request has. Raises: BatchError (INVALID_ARGUMENT) where its inputs do not agree."""
    if not inputs:
        raise BatchError(INVALID_ARGUMENT, "Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in inputs.values()):
        raise BatchError(INVALID_ARGUMENT, "Batching Run() input tensors must have at least one dimension")
    sizes = {len(array) for array in inputs.values()}
    if len(sizes) > 1:
        raise BatchError(INVALID_ARGUMENT, "Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def allowed_size(rows: int, allowed: Sequence[int]) -> int:
    """The smallest size that may run and holds so many rows."""
    place = bisect_left(allowed, rows)
    return allowed[place] if place < len(allowed) else rows


def merged(requests: Sequence[Tensors], padding: int, *, pads_shapes: bool) -> dict[str, Array]:
    """One batch of all of them, and `padding` rows more: the first row of the last request that has one, again.

    A single request with nothing to fill up is passed on as it is. Raises: BatchError.
    """
    return {
        alias: _joined(alias, [request[alias] for request in requests], padding, pads_shapes=pads_shapes)
        for alias in requests[0]
    }


def _joined(alias: str, arrays: list[Array], padding: int, *, pads_shapes: bool) -> Array:
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1:
        if not pads_shapes:
            raise BatchError(
                FAILED_PRECONDITION,
                f"Tensors with name '{alias}' from different tasks have different shapes and padding is turned off. "
                "Set pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal "
                "dimensions starting with the first dim.",
            )
        arrays = _same_shapes(alias, arrays)
    if padding:
        pattern = next((array for array in reversed(arrays) if len(array)), arrays[-1])
        arrays = [*arrays, *[pattern[:1]] * padding]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _same_shapes(alias: str, arrays: Sequence[Array]) -> list[Array]:
    if len({array.ndim for array in arrays}) > 1:
        raise BatchError(
            FAILED_PRECONDITION,
            f"Tensors with name '{alias}' from different tasks have different numbers of dimensions and cannot be "
            "padded to one shape.",
        )
    largest = tuple(np.max([array.shape[1:] for array in arrays], axis=0).tolist())
    return [_filled_up(array, largest) for array in arrays]


def _filled_up(array: Array, shape: tuple[int, ...]) -> Array:
    """As TensorFlow Serving does it: with the tensor's own first element, not with zeros."""
    if array.shape[1:] == shape:
        return array
    if array.size == 0:
        raise BatchError(INVALID_ARGUMENT, "Got empty tensor in batch of non-empty tensors.")
    filled = np.full((len(array), *shape), array.flat[0], array.dtype)
    filled[tuple(slice(size) for size in array.shape)] = array
    return filled


def parted(outputs: Tensors, sizes: Sequence[int], padding: int) -> list[dict[str, Array]]:
    """The answer of each request, as views of the batch's. Raises: BatchError (FAILED_PRECONDITION)."""
    total = sum(sizes) + padding
    for array in outputs.values():
        if array.ndim == 0:
            raise BatchError(FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
        if len(array) != total:
            raise BatchError(
                FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the "
                "input tensors",
            )
    if len(sizes) == 1 and not padding:
        return [dict(outputs)]
    parts, begin = [], 0
    for size in sizes:
        parts.append({alias: array[begin : begin + size] for alias, array in outputs.items()})
        begin += size
    return parts
