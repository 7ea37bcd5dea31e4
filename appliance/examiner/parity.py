"""Whether the candidate gives on this box the answers that its publisher had."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from appliance.examiner.candidate import Candidate
from appliance.examiner.failure import Failed, Reason, Stage
from appliance.examiner.talk import Talk
from appliance.golden import Compared, GoldenError, GoldenFailed, GoldenMissing, GoldenNotFinite, compare, read
from appliance.inspection import Evaluation
from appliance.inspection.decide import decide, worst_region
from appliance.inspection.plan import Plan

_REASONS: Final = {
    GoldenMissing: Reason.GOLDEN_MISSING,
    GoldenFailed: Reason.GOLDEN,
    GoldenNotFinite: Reason.NOT_FINITE,
}


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
    found = Parity()
    wrong: list[str] = []
    count = 0
    with _in_our_words():
        golden = read(candidate.folder, candidate.model)
        count = len(golden.samples)
        talk.progress(f"golden sample 1 of {count}")
        for number, one in enumerate(compare(golden, golden.samples, candidate.model, plan.preprocessor.spec), 1):
            sample = one.sample
            if one.difference / sample.tolerance >= found.worst / (found.tolerance or 1.0):
                found = Parity(number, one.difference, sample.name, sample.tolerance)
            said = one.disagreement or _other_label(one, plan)
            if said is not None:
                wrong.append(said)
            if number < count:
                talk.progress(f"golden sample {number + 1} of {count}")
    disagreement = _sentence(wrong, count) if wrong else None
    return Parity(count, found.worst, found.worst_sample, found.tolerance, disagreement)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except GoldenError as error:
        raise Failed(Stage.ACCEPTING, _REASONS[type(error)], str(error)) from error


def _other_label(found: Compared, plan: Plan) -> str | None:
    """Half a sentence where a good sample would not pass, or a bad one would, within the package's own limits."""
    sample, scores = found.sample, found.scores
    if sample.label is None or scores.shape[-1] != len(plan.labels):
        return None
    if sample.is_frame:
        evaluation = plan.judge(scores).evaluation
    else:
        evaluation = worst_region(decide(row, plan.labels, plan.limits) for row in scores.tolist()).evaluation
    is_good = sample.label == plan.limits.good_label
    if not is_good and sample.label not in plan.labels:
        return f"{sample.name} is labelled {sample.label!r}, which is none of the model's labels"
    if (evaluation is Evaluation.OK) != is_good:
        return f"{sample.name} is labelled {sample.label!r} and would be {evaluation.value}"
    return None


def _sentence(wrong: list[str], count: int) -> str:
    first = "; ".join(wrong[:3])
    more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return (
        f"The candidate does not give its publisher's answers on {len(wrong)} of {count} golden samples: "
        f"{first}{more}. Export the model again, or package the samples that belong to it."
    )
