"""Whether a loaded model gives on this box the scores that its publisher had, by the way that parts go."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from appliance.golden.errors import GoldenFailed, GoldenNotFinite
from appliance.golden.samples import GOLDEN, LIST, Golden, GoldenSet, read
from appliance.inspection.errors import RecipeError
from appliance.inspection.plan import infer_rows
from appliance.inspection.preprocess import InputSpec
from appliance.inspection.preprocess.spec import PLACE
from appliance.inspection.recipe import RecipeConfig, effective
from appliance.runtimes.errors import InvalidInput, PredictError
from appliance.runtimes.model import Model

AT_START_MAX: Final = 16
"""Samples that a line runs before a version serves: some tenths of a second for most models."""
_NAMED_MAX: Final = 3
_AS_PACKAGED: Final = (*PLACE, "tiles", "width", "height")
"""A station may look elsewhere and at another size than the publisher; the samples' scores are of the publisher's."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One sample and what it gave."""

    sample: Golden
    scores: npt.NDArray[np.float64]
    """(rows, labels)."""
    difference: float
    """The largest to the publisher's score."""

    @property
    def disagreement(self) -> str | None:
        """Half a sentence where the difference is more than allowed."""
        if self.difference <= self.sample.tolerance:
            return None
        return f"{self.sample.name} differs by {self.difference:.4g}, and {self.sample.tolerance:g} is allowed"


def compare(golden: GoldenSet, samples: Iterable[Golden], model: Model, spec: InputSpec | None) -> Iterator[Compared]:
    """Run each once, on the caller's thread: decoding takes some ms, and then it costs what a part costs.

    `spec`: what the model sees; None where nobody says it, and then only arrays can be used.
    Raises: GoldenMissing where one cannot be used, GoldenFailed, GoldenNotFinite.
    """
    for sample in samples:
        scores = _scores(golden, sample, model, golden.inputs(sample, spec))
        yield Compared(sample, scores, float(np.abs(scores - sample.expected).max()))


def prove(folder: Path, model: Model, recipes: Sequence[RecipeConfig]) -> str | None:
    """A sentence on what was proven of the version in `folder`; None where it brings no samples.

    They are seen as each recipe sees parts: its colours, its resize, its scale; only where the part is, and how large
    the model sees it, is as the package says. At most AT_START_MAX of them are run. Raises: GoldenError.
    """
    if not (folder / GOLDEN / LIST).exists():
        return None
    golden = read(folder, model)
    every = -(-len(golden.samples) // AT_START_MAX)
    samples = golden.samples[::every]
    furthest = 0.0
    for spec in _specs(model.metadata, recipes):
        found = list(compare(golden, samples, model, spec))
        wrong = [said for one in found if (said := one.disagreement) is not None]
        if wrong:
            raise GoldenFailed(_disagreement(wrong, len(found), spec))
        furthest = max(furthest, *(one.difference for one in found))
    return f"{len(samples)} golden samples give the publisher's scores; the furthest differs by {furthest:.2g}"


def _scores(golden: GoldenSet, sample: Golden, model: Model, batch: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    try:
        answer = infer_rows(model, golden.signature, golden.input.alias, golden.output, batch)
    except (InvalidInput, PredictError) as error:
        raise GoldenFailed(f"The model fails on the golden sample {sample.name}: {error}") from error
    if answer.dtype.kind not in "fiu" or answer.size != sample.expected.size:
        raise GoldenFailed(
            f"The golden sample {sample.name} gives {answer.size} scores of {answer.dtype}, and the publisher "
            f"had {sample.expected.size}; package the samples that belong to this model."
        )
    scores = np.asarray(answer, np.float64).reshape(sample.expected.shape)
    if not np.isfinite(scores).all():
        raise GoldenNotFinite(f"The model gives scores that are no numbers for the golden sample {sample.name}.")
    return scores


def _specs(metadata: Mapping[str, Any], recipes: Sequence[RecipeConfig]) -> list[InputSpec | None]:
    """What differs among the ways in which recipes see; the package's own where no recipe uses the model."""
    packaged = metadata.get("input") or {}
    said = [_as_packaged(packaged, effective(recipe, metadata)["input"]) for recipe in recipes] or [packaged]
    specs: list[InputSpec | None] = []
    for one in said:
        try:
            spec = InputSpec.from_metadata(one)
        except RecipeError:  # a recipe that does not fit is refused elsewhere
            spec = None
        if spec not in specs:
            specs.append(spec)
    return specs


def _as_packaged(packaged: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    if not packaged:
        return said
    seen = {name: one for name, one in said.items() if name not in _AS_PACKAGED}
    return {**seen, **{name: packaged[name] for name in _AS_PACKAGED if name in packaged}}


def _disagreement(wrong: list[str], count: int, spec: InputSpec | None) -> str:
    more = f"; and {len(wrong) - _NAMED_MAX} more" if len(wrong) > _NAMED_MAX else ""
    seen = (
        ""
        if spec is None
        else (
            f" They were seen with resize {spec.resize}, color {spec.color}, dtype {spec.dtype}, scale {spec.scale:g}, "
            f"offset {spec.offset:g}: compare that with the training."
        )
    )
    return (
        f"{len(wrong)} of {count} golden samples do not give the publisher's scores: "
        f"{'; '.join(wrong[:_NAMED_MAX])}{more}.{seen}"
    )
