"""The publisher's golden samples: there, readable, and in agreement with labels and limits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from appliance.inspection.decide import decide
from appliance.inspection.errors import RecipeError
from appliance.inspection.limits import Limits
from appliance.inspection.preprocess import InputSpec
from appliance.inspection.result import Evaluation
from appliance.publishing.errors import PublishError
from appliance.publishing.findings import Finding, error, warning
from appliance.publishing.lint_inspection import output_of
from appliance.publishing.pictures import read_sample
from appliance.runtimes.description import Description
from appliance.runtimes.model import DEFAULT_SIGNATURE

GOLDEN: Final = Path("assets.extra") / "golden"
SAMPLES: Final = GOLDEN / "samples.json"
_MAKE: Final = "`appliance package --golden-from FOLDER` makes them from pictures, a folder for each label"
_TOLERANCE_MAX: Final = 0.2
_SAMPLES_MAX_BYTES: Final = 4 << 20
_ANEW: Final = "Make the samples anew, or correct labels and limits"


def look_at_golden(folder: Path, description: Description) -> Iterator[Finding]:
    """Decodes each picture: some ms each."""
    try:
        said = _read(folder)
    except FileNotFoundError:
        yield error(
            "no_golden", str(SAMPLES), "there are no golden samples: boxes cannot tell that the model runs right", _MAKE
        )
        return
    except ValueError as problem:
        yield error("golden", str(SAMPLES), str(problem), _MAKE)
        return
    yield from _names(said, description)
    labels = description.metadata.get("labels")
    labels = labels if isinstance(labels, list) else []
    for sample in said["samples"]:
        yield from _sample(folder, sample, labels, description.metadata)
    missing = [label for label in labels if label not in {sample.get("label") for sample in said["samples"]}]
    if missing:
        yield warning("golden_labels", str(SAMPLES), f"no sample is {' or '.join(missing)}", "Add one of each class")


def _read(folder: Path) -> Mapping[str, Any]:
    file = folder / SAMPLES
    with file.open("rb") as opened:
        raw = opened.read(_SAMPLES_MAX_BYTES + 1)
    if len(raw) > _SAMPLES_MAX_BYTES:
        raise ValueError(f"it is above {_SAMPLES_MAX_BYTES >> 20} MiB")
    try:
        said = json.loads(raw)
    except ValueError as problem:
        raise ValueError(f"it is no JSON: {problem}") from problem
    if not isinstance(said, dict) or not isinstance(said.get("samples"), list) or not said["samples"]:
        raise ValueError("it has no samples")
    if not all(isinstance(sample, dict) and isinstance(sample.get("file"), str) for sample in said["samples"]):
        raise ValueError("a sample names no file")
    return said


def _names(said: Mapping[str, Any], description: Description) -> Iterator[Finding]:
    signature = description.signatures.get(DEFAULT_SIGNATURE)
    if signature is None:
        return
    if said.get("input") not in signature.inputs:
        yield error("golden", str(SAMPLES), f"its input {said.get('input')!r} is none of the graph's", _ANEW)
    output = output_of(description.metadata, signature)
    if output is not None and said.get("output") != output.alias:
        yield error("golden", str(SAMPLES), f"its output {said.get('output')!r} is not {output.alias!r}", _ANEW)


def _sample(
    folder: Path, sample: Mapping[str, Any], labels: Sequence[str], said: Mapping[str, Any]
) -> Iterator[Finding]:
    where = str(GOLDEN / str(sample["file"]))
    rows = 1
    try:
        spec = InputSpec.from_metadata(said["input"])
        is_crop, is_frame = bool(sample.get("crop")), bool(sample.get("frame"))
        rows = len(read_sample(folder / GOLDEN / str(sample["file"]), spec, is_crop=is_crop, is_frame=is_frame))
    except PublishError as problem:
        yield error("golden_picture", where, str(problem).rstrip("."), _MAKE)
    except (RecipeError, KeyError, TypeError, AttributeError):
        pass  # said of inspection.json already
    tolerance = sample.get("tolerance")
    if not isinstance(tolerance, int | float) or not 0 < tolerance <= _TOLERANCE_MAX:
        yield error(
            "golden",
            where,
            f"its tolerance is {tolerance!r}, which is not in 0..{_TOLERANCE_MAX}",
            "Set it to 0.02 or so",
        )
    yield from _scores(where, sample, rows, labels, said)


def _scores(
    where: str, sample: Mapping[str, Any], rows: int, labels: Sequence[str], said: Mapping[str, Any]
) -> Iterator[Finding]:
    given = sample.get("scores")
    scores: list[Any] = given if isinstance(given, list) and given and isinstance(given[0], list) else [given]
    if not all(isinstance(row, list) and all(isinstance(one, int | float) for one in row) for row in scores):
        yield error("golden", where, "it has no scores", _MAKE)
    elif len(scores) != rows:
        yield error("golden", where, f"it has scores of {len(scores)} rows for {rows} regions or tiles", _ANEW)
    elif labels and {len(row) for row in scores} != {len(labels)}:
        yield error("golden", where, f"it has {len(scores[0])} scores for {len(labels)} labels", _ANEW)
    elif labels and sample.get("label") not in labels and not (rows > 1 and sample.get("label") is None):
        yield error("golden", where, f"its label {sample.get('label')!r} is none of the model's", _ANEW)
    elif labels and rows == 1:
        yield from _judged(where, str(sample["label"]), scores[0], labels, said)


def _judged(
    where: str, label: str, scores: Sequence[float], labels: Sequence[str], said: Mapping[str, Any]
) -> Iterator[Finding]:
    try:
        limits = Limits.from_metadata(said)
        limits.check(labels)
    except RecipeError:
        return  # said of inspection.json already
    decision = decide(scores, labels, limits)
    shown = ", ".join(f"{name} {score:.2f}" for name, score in zip(labels, scores, strict=True))
    if decision.evaluation is Evaluation.UNDEFINED:
        yield error("golden_scores", where, decision.detail.rstrip("."), "End the model with a softmax or a sigmoid")
    elif decision.evaluation is Evaluation.NOT_DECIDABLE:
        yield warning(
            "golden_limit", where, f"it is between the limits ({shown})", "Choose a part that the model is sure of"
        )
    elif (decision.evaluation is Evaluation.OK) != (label == limits.good_label):
        found = decision.evaluation.value
        yield error("golden_scores", where, f"it is {label}, and these limits make it {found} ({shown})", _ANEW)
