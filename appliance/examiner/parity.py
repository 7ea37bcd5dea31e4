"""Whether the candidate gives on this box the answers that its publisher had."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.examiner.candidate import Candidate
from appliance.examiner.failure import Failed, Reason, Stage
from appliance.examiner.golden import Golden, GoldenSet, read
from appliance.examiner.talk import Talk
from appliance.inspection import Evaluation
from appliance.inspection.decide import decide, worst_region
from appliance.inspection.plan import Plan
from appliance.runtimes.errors import InvalidInput, PredictError


@dataclass(frozen=True, slots=True)
class Parity:
    """Of all golden samples."""

    samples: int = 0
    worst: float = 0.0
    """The difference that comes nearest to its tolerance, or goes furthest beyond it."""
    worst_sample: str | None = None
    tolerance: float = 0.0
    """Of that sample."""
    disagreement: str | None = None
    """A sentence where it does not give the publisher's answers."""


def prove(candidate: Candidate, talk: Talk) -> Parity:
    """Run every golden sample once. Raises: Failed where one cannot be used or gives no numbers, Dismissed."""
    plan = candidate.plan_of_package()
    golden = read(candidate.folder, candidate.model)
    found = Parity()
    wrong: list[str] = []
    for number, sample in enumerate(golden.samples, 1):
        talk.progress(f"golden sample {number} of {len(golden.samples)}")
        scores = _scores(candidate, golden, sample, plan)
        difference = float(np.abs(scores - sample.expected).max())
        if difference / sample.tolerance >= found.worst / (found.tolerance or 1.0):
            found = Parity(number, difference, sample.name, sample.tolerance)
        if difference > sample.tolerance:
            wrong.append(f"{sample.name} differs by {difference:.4g}, and {sample.tolerance:g} is allowed")
        elif (other := _other_label(scores, sample, plan)) is not None:
            wrong.append(other)
    disagreement = _sentence(wrong, len(golden.samples)) if wrong else None
    return Parity(len(golden.samples), found.worst, found.worst_sample, found.tolerance, disagreement)


def _scores(candidate: Candidate, golden: GoldenSet, sample: Golden, plan: Plan) -> npt.NDArray[np.float64]:
    inputs = golden.inputs(sample, plan)
    try:
        answer = candidate.model.predict(inputs, golden.signature)[golden.output]
    except (InvalidInput, PredictError) as error:
        detail = f"The candidate fails on the golden sample {sample.name}: {error}"
        raise Failed(Stage.ACCEPTING, Reason.GOLDEN, detail) from error
    if answer.dtype.kind not in "fiu" or answer.size != sample.expected.size:
        detail = (
            f"The golden sample {sample.name} gives {answer.size} scores of {answer.dtype}, and the publisher "
            f"had {sample.expected.size}; package the samples that belong to this model."
        )
        raise Failed(Stage.ACCEPTING, Reason.GOLDEN, detail)
    scores = np.asarray(answer, np.float64).reshape(sample.expected.shape)
    if not np.isfinite(scores).all():
        detail = f"The candidate gives scores that are no numbers for the golden sample {sample.name}."
        raise Failed(Stage.ACCEPTING, Reason.NOT_FINITE, detail)
    return scores


def _other_label(scores: npt.NDArray[np.float64], sample: Golden, plan: Plan) -> str | None:
    """A sentence where a good sample would not pass, or a bad one would, within the package's own limits."""
    if sample.label is None or scores.shape[-1] != len(plan.labels):
        return None
    found = worst_region([decide(row, plan.labels, plan.limits) for row in scores.tolist()]).evaluation
    is_good = sample.label == plan.limits.good_label
    if not is_good and sample.label not in plan.labels:
        return f"{sample.name} is labelled {sample.label!r}, which is none of the model's labels"
    if (found is Evaluation.OK) != is_good:
        return f"{sample.name} is labelled {sample.label!r} and would be {found.value}"
    return None


def _sentence(wrong: list[str], count: int) -> str:
    first = "; ".join(wrong[:3])
    more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return (
        f"The candidate does not give its publisher's answers on {len(wrong)} of {count} golden samples: "
        f"{first}{more}. Export the model again, or package the samples that belong to it."
    )
