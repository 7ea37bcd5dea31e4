"""The first runs of a fresh model, which are long: made before it serves, on the thread that loads it."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from appliance.runtimes.errors import InvalidInput, PredictError
from appliance.runtimes.model import STRING_DTYPE, Array, BoundCall, Model, Signature, TensorSpec

WARM_UP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
"""Where a version brings requests to be replayed before it serves, as TensorFlow Serving has it."""
_RUNS_MIN = 3
_RUNS_MAX = 12
_PICTURE_RANK, _PICTURE_SIZE = 4, 64
_PARSE_EXAMPLES = ("tensorflow/serving/classify", "tensorflow/serving/regress")
_SETTLED = 1.25
"""Runs have settled when the last one took at most this much of the shortest."""


def warm_up(model: Model, *, copies: int, limit_s: float) -> None:
    """Run every signature for which inputs can be made up, for `copies` callers, until times settle.

    Takes at most `limit_s` in all. Inputs are zeros, and an example without features where examples are parsed; what
    that says is not heard. Other text (a picture's file) is not made up. A signature without inputs is left alone: it
    exists for what it does, not for what it answers. Raises: PredictError, and InvalidInput where the signature
    promised that the input fits.
    """
    end = time.monotonic() + limit_s
    for signature in model.signatures.values():
        text = any(spec.dtype == STRING_DTYPE for spec in signature.inputs.values())
        if not signature.inputs or (text and not _parses_examples(signature)):
            continue
        try:
            _settle_copies(model, signature, copies, end)
        except (InvalidInput, PredictError) as error:
            if not text and (isinstance(error, PredictError) or _is_exact(signature)):
                raise


def zeros_for(signature: Signature, batch: int = 1) -> dict[str, Array]:
    """Inputs that fit, as far as the signature says."""
    return {alias: _blank(spec, batch) for alias, spec in signature.inputs.items()}


def _blank(spec: TensorSpec, batch: int) -> Array:
    if spec.dtype == STRING_DTYPE:
        return np.full(sample_shape(spec.shape, batch) or (batch,), b"", object)
    return np.zeros(sample_shape(spec.shape, batch), spec.dtype)


def sample_shape(shape: tuple[int | None, ...] | None, batch: int = 1) -> tuple[int, ...]:
    """Of one that fits: the first size `batch`, pictures of 64 by 64, other unknown sizes 1."""
    if shape is None:
        return ()
    open_size = _PICTURE_SIZE if len(shape) == _PICTURE_RANK else 1
    unknown = [batch, *(open_size if axis < _PICTURE_RANK - 1 else 1 for axis in range(1, len(shape)))]
    return tuple(unknown[axis] if size is None else size for axis, size in enumerate(shape))


def _parses_examples(signature: Signature) -> bool:
    """Its one input is serialized tensorflow.Example messages, each of them possibly empty."""
    return signature.method in _PARSE_EXAMPLES and len(signature.inputs) == 1


def _settle_copies(model: Model, signature: Signature, copies: int, end: float) -> None:
    calls = [model.bind(signature.key) for _ in range(copies)]  # given back at the end: the next signature needs them
    for call in calls:
        _settle(call, zeros_for(signature), end)


def _settle(call: BoundCall, inputs: Mapping[str, Array], end: float) -> None:
    shortest = float("inf")
    for run in range(_RUNS_MAX):
        began = time.monotonic()
        call(inputs)
        took = time.monotonic() - began
        if run >= _RUNS_MIN and took <= shortest * _SETTLED:
            return
        shortest = min(shortest, took)
        if time.monotonic() > end:
            return


def _is_exact(signature: Signature) -> bool:
    """Only the first size of each input is open: zeros of such a shape are what the signature says it takes."""
    return all(spec.shape is not None and None not in spec.shape[1:] for spec in signature.inputs.values())
