"""Whether two engines give the same answers: numbers within a tolerance, and the same class first."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from appliance.runtimes.model import Array

Answers = Mapping[str, Mapping[int, Mapping[str, Array]]]
"""By signature, sample and alias."""


_NO_FAVOURITE = 1e-4
"""Two classes whose scores differ by no more than this part of the largest may change places."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Two numbers agree when they differ by at most `absolute + relative * the largest number of that output`."""

    absolute: float
    relative: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome over all samples."""

    samples: int
    largest_difference: float
    disagreement: str | None
    """The first sentence that speaks against; None where all agree."""


def compare(reference: Answers, found: Answers, tolerance: Tolerance) -> Comparison:
    """Compare every answer of `reference` with its counterpart; a missing one is a disagreement."""
    samples, largest, disagreement = 0, 0.0, None
    for key, answers in reference.items():
        for index, outputs in answers.items():
            samples += 1
            for alias, wanted in outputs.items():
                where = f"signature {key!r}, sample {index}, output {alias!r}"
                given = found.get(key, {}).get(index, {}).get(alias)
                if given is None:
                    disagreement = disagreement or f"{where}: no answer"
                    continue
                difference, against = _compare(wanted, given, tolerance)
                largest = max(largest, difference)
                if against:
                    disagreement = disagreement or f"{where}: {against}"
    return Comparison(samples, largest, disagreement)


def _compare(wanted: Array, given: Array, tolerance: Tolerance) -> tuple[float, str | None]:
    both_text = wanted.dtype.kind == given.dtype.kind == "S"
    if wanted.shape != given.shape or not (both_text or wanted.dtype == given.dtype):
        return 0.0, f"{given.dtype}{list(given.shape)} instead of {wanted.dtype}{list(wanted.shape)}"
    if wanted.dtype.kind not in "fc":
        return (0.0, None) if np.array_equal(wanted, given) else (0.0, "other values, where they have to be equal")
    finite = np.isfinite(wanted)
    if not np.array_equal(finite, np.isfinite(given)):
        return 0.0, "numbers that are not finite, in other places"
    if not finite.any():
        return 0.0, None
    difference = float(np.abs(wanted[finite].astype("complex128") - given[finite]).max())
    largest = float(np.abs(wanted[finite]).max())
    allowed = tolerance.absolute + tolerance.relative * largest
    if difference > allowed:
        return difference, f"differs by {difference:.3g}, more than {allowed:.3g}"
    if wanted.dtype.kind == "f" and wanted.ndim and wanted.shape[-1] > 1 and not _same_first(wanted, given, largest):
        return difference, "another class comes first"
    return difference, None


def _same_first(wanted: Array, given: Array, largest: float) -> bool:
    """The largest of the last axis is the same, however wide the tolerance; or the reference has no favourite."""
    chosen = np.take_along_axis(wanted, given.argmax(-1)[..., np.newaxis], -1)[..., 0]
    return bool(np.all(wanted.max(-1) - chosen <= _NO_FAVOURITE * largest))
