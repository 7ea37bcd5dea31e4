"""Floats in TensorFlow Serving's spelling: the shortest of 6 digits if they say it all, else 9 (float) or 17 (double).

Whole numbers end in `.0`; what is not finite is NaN, Infinity or -Infinity.
"""

from typing import Final

import numpy as np

from appliance.runtimes.model import Array

_WORDS: Final = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def decimal(number: float) -> str:
    """One double."""
    return decimals(np.array([number], np.float64))[0]


def decimals(values: Array) -> list[str]:
    """Every element of a float array, in order: about 0.5 µs each."""
    flat = values.ravel()
    if flat.dtype == np.float16:
        flat = flat.astype(np.float32)
    if not flat.size:
        return []
    numbers = flat.astype(np.float64).tolist()
    texts = _formatted("%g", numbers)
    with np.errstate(over="ignore"):
        again = np.array(list(map(float, texts)), np.float64).astype(flat.dtype)
    finite = np.isfinite(flat)
    longer = np.flatnonzero((again != flat) & finite).tolist()
    if longer:
        exact = _formatted("%.9g" if flat.dtype == np.float32 else "%.17g", [numbers[index] for index in longer])
        for index, text in zip(longer, exact, strict=True):
            texts[index] = text
    texts = [text if "." in text or "e" in text else text + ".0" for text in texts]
    for index in np.flatnonzero(~finite).tolist():
        texts[index] = _WORDS[texts[index].removesuffix(".0")]
    return texts


def _formatted(form: str, numbers: list[float]) -> list[str]:
    return (f"{form} " * len(numbers) % tuple(numbers)).split()
