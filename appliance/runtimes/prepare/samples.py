"""Inputs to compare engines with: drawn from a seed, and the version's own where it brings some."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from appliance.runtimes.errors import NotASavedModel
from appliance.runtimes.model import STRING_DTYPE, Array, Signature, TensorSpec
from appliance.runtimes.warmup import sample_shape

GOLDEN = Path("assets.extra") / "golden_inputs.npz"
"""Arrays by input alias of the default signature; the first axis counts samples."""
_GOLDEN_MAX = 32
_SEED = 20_260_101
_FLOAT_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_INTEGERS_BELOW = 10
"""Integers are mostly indices: small ones exist in every vocabulary."""


def drawn(signature: Signature) -> list[dict[str, Array]]:
    """Four inputs of one element and one of two, always the same; none where an input is text."""
    specs = signature.inputs.values()
    if not specs or any(spec.dtype == STRING_DTYPE for spec in specs):
        return []
    generator = np.random.default_rng(_SEED)
    samples = [
        {spec.alias: _draw(spec, 1, floats, generator) for spec in specs} for floats in ((0.0, 0.0), *_FLOAT_RANGES)
    ]
    if all(spec.shape and spec.shape[0] is None for spec in specs):
        samples.append({spec.alias: _draw(spec, 2, _FLOAT_RANGES[0], generator) for spec in specs})
    return samples


def golden(folder: Path, signature: Signature) -> list[dict[str, Array]]:
    """The version's own inputs, at most 32, each with a first size of 1. Raises: NotASavedModel, OSError."""
    file = folder / GOLDEN
    if not file.is_file():
        return []
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {alias: archive[alias] for alias in signature.inputs}
    except (KeyError, ValueError, EOFError) as error:
        raise NotASavedModel(f"{file} does not hold an array for each of {sorted(signature.inputs)}") from error
    count = min(len(array) for array in arrays.values())
    return [
        {alias: array[index : index + 1] for alias, array in arrays.items()} for index in range(min(count, _GOLDEN_MAX))
    ]


def packed(samples: Mapping[str, Mapping[int, Mapping[str, Array]]]) -> dict[str, Array]:
    """For np.savez: signature, index and alias name each array; text becomes bytes of one length."""
    return {
        json.dumps([key, index, alias]): array.astype("S") if array.dtype == object else array
        for key, by_index in samples.items()
        for index, sample in by_index.items()
        for alias, array in sample.items()
    }


def unpacked(file: Path) -> dict[str, dict[int, dict[str, Array]]]:
    """The way back: by signature, index and alias. Raises: OSError, ValueError."""
    found: dict[str, dict[int, dict[str, Array]]] = {}
    with np.load(file, allow_pickle=False) as archive:
        for name in archive.files:
            key, index, alias = json.loads(name)
            found.setdefault(key, {}).setdefault(index, {})[alias] = archive[name]
    return found


def _draw(spec: TensorSpec, batch: int, floats: tuple[float, float], generator: np.random.Generator) -> Array:
    shape, dtype = sample_shape(spec.shape, batch), np.dtype(spec.dtype)
    drawn: Any
    if dtype.kind == "b":
        drawn = generator.integers(0, 2, shape)
    elif dtype == np.uint8:
        drawn = generator.integers(0, 256, shape) if floats[1] else np.zeros(shape)
    elif dtype.kind in "iu":
        drawn = generator.integers(0, _INTEGERS_BELOW, shape)
    else:
        drawn = generator.uniform(*floats, shape)
    return np.asarray(drawn).astype(dtype)
